#pragma once
// Internal to control/model: checks that several kinds share. Each reports at `path` and returns whether it passed.
#include <string>
#include <string_view>
#include <vector>

#include "control/model/reader.h"
#include "control/model/virtual_service.h"
#include "core/io/address.h"

namespace plait::control::model {

bool CheckPort(ObjectReader& reader, std::string_view path, std::uint64_t port);
bool CheckHost(ObjectReader& reader, std::string_view path, std::string_view host, bool wildcard);
bool CheckRegex(ObjectReader& reader, std::string_view path, const std::string& regex);
bool CheckExportTo(ObjectReader& reader, const std::vector<std::string>& export_to);
bool CheckCidr(ObjectReader& reader, std::string_view path, const std::string& text, io::Cidr* out = nullptr);
bool CheckPercent(ObjectReader& reader, std::string_view path, double percent);
bool CheckNotNegative(ObjectReader& reader, std::string_view path, Duration duration);
bool CheckPositive(ObjectReader& reader, std::string_view path, Duration duration);
// Of one rule, as written. As in Istio any sum is good, but one that is not 100 is told with the shares that it gives.
bool CheckWeights(ObjectReader& reader, std::string_view path, const std::vector<WeightedDestination>& destinations);
std::string Indexed(std::string_view path, std::size_t index);  // "a[3]"
std::string Dotted(std::string_view path, std::string_view field);

}  // namespace plait::control::model
