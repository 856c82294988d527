// The same of pooled connections to servers (trust_test.cc): they take no more requests, and those that run may end.
#include "proxy/worker/test_trust.h"

namespace plait::proxy::worker {
namespace {

TEST_F(Trust, APooledConnectionToAServerWhoseRootHasGoneTakesNoMoreRequests) {
  const auto at = AddListener({HttpChain({RouteTo("/", AddMeshCluster("backend"))})});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Get(at, "/").head.status, 200);
  }
  PutRoots(BothRoots());
  EXPECT_EQ(Get(at, "/").head.status, 200);
  EXPECT_EQ(accepted_, 1) << "a further root changes nothing";
  PutRoots(new_.root_pem());
  EXPECT_EQ(Get(at, "/").head.status, 503);
  EXPECT_EQ(LastLine().flags, "UF");
  servers_own_ = new_.Issue(tls::kServer);
  EXPECT_EQ(Get(at, "/").head.status, 200);
  EXPECT_EQ(Get(at, "/").head.status, 200);
  EXPECT_EQ(accepted_, 3);
}

TEST_F(Trust, ARequestThatRunsToADistrustedServerMayEnd) {
  const auto at = AddListener({HttpChain({RouteTo("/", AddMeshCluster("backend"))})});
  std::optional<std::uint16_t> status;
  const Pending asked = AskAndHold(at, status);
  PutRoots(new_.root_pem());
  hold_ = false;
  EXPECT_EQ(Get(at, "/").head.status, 503) << "the worker has heard of it, and makes no new one";
  held_.front().Send(conn::TextResponse(200, "late"));
  EXPECT_TRUE(main_.RunUntil([&] { return status.has_value(); }, kLimit));
  EXPECT_EQ(status, 200);
}

TEST_F(HastyTrust, ARequestThatRunsToAServerWhoseRootHasGoneIsCutOffAfterTheDrainTime) {
  const auto at = AddListener({HttpChain({RouteTo("/", AddMeshCluster("backend"))})});
  std::optional<std::uint16_t> status;
  const Pending asked = AskAndHold(at, status);
  PutRoots(new_.root_pem());
  EXPECT_TRUE(main_.RunUntil([&] { return status.has_value(); }, std::chrono::seconds(4)));
  EXPECT_EQ(status, 503);
}

TEST_F(Trust, ARenewedCertificateOfOurOwnEndsPooledConnectionsOnlyWhenItHasAnotherRoot) {
  const auto at = AddListener({HttpChain({RouteTo("/", AddMeshCluster("backend"))})});
  PutRoots(BothRoots());
  EXPECT_EQ(Get(at, "/").head.status, 200);
  PutOwn(old_.Issue(tls::kServer));
  EXPECT_EQ(Get(at, "/").head.status, 200);
  EXPECT_EQ(accepted_, 1);
  PutOwn(new_.Issue(tls::kServer));
  EXPECT_EQ(Get(at, "/").head.status, 200);
  EXPECT_EQ(accepted_, 2);
}

}  // namespace
}  // namespace plait::proxy::worker
