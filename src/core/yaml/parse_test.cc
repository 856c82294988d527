#include "core/yaml/parse.h"

#include <gtest/gtest.h>

#include "core/yaml/print.h"
#include "core/yaml/scalar.h"
#include "core/yaml/suggest.h"
#include "core/yaml/syntax_advice.h"

namespace plait::yaml {
namespace {

std::string ErrorOf(std::string_view text, const Limits& limits = {}) {
  const auto parsed = ParseAll(text, "f.yaml", limits);
  return parsed ? "parsed" : parsed.error().ToString();
}
Node One(std::string_view text) {
  auto parsed = ParseOne(text, "f.yaml");
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().ToString());
  return parsed ? *parsed : Node{};
}

TEST(Yaml, KeepsLineAndColumnOfEveryNode) {
  const Node root = One("metadata:\n  name: a\nspec:\n  http:\n  - timeout: 5s\n    route:\n    - weight: 80\n");
  EXPECT_EQ(MarkAt(root, "metadata.name"), (Mark{2, 9}));
  EXPECT_EQ(MarkAt(root, "spec.http[0].route[0].weight"), (Mark{7, 15}));
  EXPECT_EQ(MarkAt(root, "spec.http[0].retries.attempts"), (Mark{5, 5})) << "an absent field has its parent's position";
}

TEST(Yaml, FindsFieldsInCamelAndSnakeCase) {
  EXPECT_TRUE(SameFieldName("sourceLabels", "source_labels"));
  EXPECT_TRUE(SameFieldName("tls", "tls"));
  EXPECT_FALSE(SameFieldName("sourceLabels", "source_label"));
  EXPECT_FALSE(SameFieldName("a_", "a"));
  EXPECT_EQ(Locate(One("{per_try_timeout: 3s}"), "perTryTimeout").text, "3s");
  EXPECT_EQ(Locate(One("{labels: {a.b: x}}"), "labels[\"a.b\"]").text, "x");
}

TEST(Yaml, ResolvesScalarsAsKubernetesDoes) {
  const auto type = [](std::string_view text) { return TypeOf(Node::Plain(std::string(text))); };
  for (const char* text : {"yes", "On", "TRUE", "y", "n", "off", "No"})
    EXPECT_EQ(type(text), ScalarType::kBool) << text;
  for (const char* text : {"", "~", "null", "NULL"}) EXPECT_EQ(type(text), ScalarType::kNull) << text;
  for (const char* text : {"0", "-12", "0x1F", "0o17", "017", "0b11", "1_000"})
    EXPECT_EQ(type(text), ScalarType::kInteger) << text;
  for (const char* text : {"1.5", ".5", "1e3", "-.inf", ".nan"}) EXPECT_EQ(type(text), ScalarType::kFloat) << text;
  for (const char* text : {"v1", "1.2.3", "10.0.0.1", "5s", "-", ".", "1:30", "tRue", "0x"})
    EXPECT_EQ(type(text), ScalarType::kString) << text;
  EXPECT_EQ(AsInt64(Node::Plain("017")), 15);
  EXPECT_EQ(AsInt64(Node::Plain("-9223372036854775808")), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(AsInt64(Node::Plain("9223372036854775808")), std::nullopt);
  EXPECT_EQ(AsInt64(Node::Plain("1e3")), 1000);
  EXPECT_EQ(AsInt64(Node::Plain("1.5")), std::nullopt);
}

TEST(Yaml, QuotesMakeText) {
  const Node root = One("- \"1\"\n- ''\n- 'true'\n- !!str 5\n- |\n  on\n");
  for (const Node& item : root.items) EXPECT_TRUE(item.is_string()) << item.text;
}

TEST(Yaml, ReadsSeveralDocumentsAndSkipsEmptyOnes) {
  const auto all = ParseAll("# c\n---\na: 1\n---\n---\n# only a comment\n---\nb: 2\n...\n", "f.yaml");
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ((*all)[1].at.line, 8U);
  EXPECT_TRUE(ParseAll("", "f")->empty());
  EXPECT_FALSE(ParseOne("a: 1\n---\nb: 1", "f"));
}

TEST(Yaml, ReadsJson) {
  const Node root = One("{\"a\": [1, true, null, \"x\\n\\u00e9\\/\"],\n\t\"b\": {}}");
  EXPECT_EQ(ToJson(root), "{\"a\":[1,true,null,\"x\\né/\"],\"b\":{}}");
}

TEST(Yaml, ReadsJsonAsItsWritersFormatIt) {
  const std::string_view text =
      "{\r\n\t\"a\" : [\r\n\t\t-1.5E+2,\n\t\ttrue\t,\n\t\t{}\n\t],\n\t\"b\":{\"c\":\n\tnull,\"<<\":\"x # "
      "y\",\"\":\"*\"}\n}\t\n";
  EXPECT_EQ(ToJson(One(text)), R"({"a":[-1.5E+2,true,{}],"b":{"c":null,"<<":"x # y","":"*"}})");
  EXPECT_EQ(One(R"({"a":"\"\\\/\b\f\n\r\t\u00e9\uFFFD"})").FindText("a"), "\"\\/\b\f\n\r\t\u00e9\ufffd");
}

TEST(Yaml, SaysWhatOfJsonIsWrongOrNotRead) {
  EXPECT_EQ(ErrorOf(R"({"a":1,"a":2})"), "f.yaml:1:8: the key \"a\" stands twice; first in line 1 (keep one of them)");
  EXPECT_EQ(ErrorOf(R"({"a":"\ud83d\ude00"})"),
            "f.yaml:1:9: found invalid Unicode character escape code (while parsing a quoted scalar) (\\u and \\U take "
            "the number of a character; write one beyond U+FFFF itself, not as a pair like \\ud83d\\ude00)");
  EXPECT_EQ(ErrorOf("{\"a\":1}\n{\"b\":2}\n"),
            "f.yaml:2:1: did not find expected <document start> (indent all fields of an object alike, and put --- "
            "between objects)");
  EXPECT_EQ(ErrorOf("{\"a\"\n  :1}"),
            "f.yaml:2:3: did not find expected ',' or '}' (while parsing a flow mapping) (write the colon in the line "
            "of its key)");
  EXPECT_EQ(ErrorOf("{\n\t\"a\": 1\n\t\"b\": 2\n}\n"),
            "f.yaml:3:5: did not find expected ',' or '}' (while parsing a flow mapping) (close the { opened at 1:1, "
            "or put a comma between its fields)")
      << "tabs are not what is wrong";
  EXPECT_EQ(ErrorOf("\t{\"a\":1}"), "f.yaml:1:1: a tab in the indentation (indent with spaces)");
  EXPECT_EQ(ErrorOf("{\"a\":\"\u00e9\u00e9\"}\n\t\n"), "f.yaml:2:1: a tab in the indentation (indent with spaces)");
}

TEST(Yaml, SaysWhereAndWhyItIsWrong) {
  EXPECT_EQ(ErrorOf("a: 1\nb: 2\na: 3\n"),
            "f.yaml:3:1: the key \"a\" stands twice; first in line 1 (keep one of them)");
  EXPECT_EQ(ErrorOf("a:\n\tb: 1\n"), "f.yaml:2:1: a tab in the indentation (indent with spaces)");
  EXPECT_EQ(ErrorOf("a: \xff\n"), "f.yaml:1:4: a byte that is not UTF-8 (save the file as UTF-8)");
  EXPECT_EQ(ErrorOf("a: b\nc: \xed\xa0\x80"), "f.yaml:2:4: a byte that is not UTF-8 (save the file as UTF-8)");
  EXPECT_EQ(ErrorOf(std::string_view("a: b\n\0", 6)),
            "f.yaml:2:1: a NUL byte; this is not a text file (save it as UTF-8, or give it a name that "
            "does not end in .yaml, .yml or .json)");
  const char* const utf16 = "f.yaml:1:1: the text is UTF-16 (save the file as UTF-8)";
  EXPECT_EQ(ErrorOf(std::string_view("\xff\xfe"
                                     "a\0:\0",
                                     6)),
            utf16);
  EXPECT_EQ(ErrorOf(std::string_view("\xfe\xff\0a\0:", 6)), utf16);
  EXPECT_EQ(ErrorOf(std::string_view("a\0:\0", 4)), utf16);
  EXPECT_EQ(ErrorOf(std::string_view("\0a\0:", 4)), utf16);
  EXPECT_NE(ErrorOf("a: [1, 2\n").find("f.yaml:2:1"), std::string::npos);
  EXPECT_NE(ErrorOf("a: !secret x\n").find("the tag !secret is not supported"), std::string::npos);
  EXPECT_NE(ErrorOf("? [a]\n: b\n").find("a key must be text"), std::string::npos);
  EXPECT_NE(ErrorOf("a: *nothing\n"), "parsed");
  EXPECT_NE(ErrorOf("a: b: c\n").find("f.yaml:1:"), std::string::npos);
}

struct Broken {
  std::string_view text;
  std::string_view said;
};
void PrintTo(const Broken& one, std::ostream* out) { *out << one.text; }
class BrokenYaml : public testing::TestWithParam<Broken> {};

TEST_P(BrokenYaml, IsToldWithItsPlaceAndWhatToDo) { EXPECT_EQ(ErrorOf(GetParam().text), GetParam().said); }

INSTANTIATE_TEST_SUITE_P(
    Each, BrokenYaml,
    testing::Values(
        Broken{"spec:\n  hosts: [echo\n  http:\n    - a: b\n",
               "f.yaml:3:7: did not find expected ',' or ']' (while parsing a flow sequence) (close the [ opened at "
               "2:10, or "
               "put a comma between its elements)"},
        Broken{"a:\n  - b\n  - {c: {d: e}\n  - f\n",
               "f.yaml:4:3: did not find expected ',' or '}' (while parsing a flow mapping) (close the { opened at "
               "3:5, or "
               "put a comma between its fields)"},
        Broken{"a: 'x\nb: c\n",
               "f.yaml:3:1: found unexpected end of stream (while scanning a quoted scalar) (close the quote opened at "
               "1:4)"},
        Broken{"a: \"\\q\"\n",
               "f.yaml:1:5: found unknown escape character (while parsing a quoted scalar) (write \\\\ for a "
               "backslash, or "
               "put the text in single quotes)"},
        Broken{"a: b: c\n",
               "f.yaml:1:5: mapping values are not allowed in this context (put the text in quotes if the colon "
               "belongs to "
               "it; otherwise indent the line like its neighbours)"},
        Broken{"a:\n  b: c\n d: e\n",
               "f.yaml:3:2: did not find expected key (while parsing a block mapping) (indent it like the mapping that "
               "begins at 1:1, or put the whole value before it in quotes)"},
        Broken{
            "a:\n - b\n c: d\n",
            "f.yaml:3:2: did not find expected '-' indicator (while parsing a block collection) (begin it with \"- \" "
            "like the list that begins at 2:2, or indent it so that it is no part of it)"},
        Broken{
            "a: b\nkey\nc: d\n",
            "f.yaml:3:1: could not find expected ':' (while scanning a simple key) (write \": \" and a value after the "
            "key at 2:1)"},
        Broken{
            "hosts: - x\n",
            "f.yaml:1:8: block sequence entries are not allowed in this context (begin the list on a line of its own)"},
        Broken{"a: @x\n",
               "f.yaml:1:4: found character that cannot start any token (while scanning for the next token) (put the "
               "value "
               "in quotes: YAML reserves the character with which it begins)"},
        Broken{"a: [x,\n",
               "f.yaml:2:1: did not find expected node content (while parsing a flow node) (write the value that is "
               "missing, or close the bracket before it)"},
        Broken{"a: |\n\tb\n", "f.yaml:2:1: a tab in the indentation (indent with spaces)"},
        Broken{"a: *b\n",
               "f.yaml:1:4: the alias *b has no anchor before it (write &b before the value that it repeats, or "
               "put the text in quotes)"}));

TEST(SyntaxAdvice, IsGivenForWhatNobodyKnows) {
  EXPECT_EQ(SyntaxAdvice("something new", "", {}),
            "look at the indentation, the quotes and the brackets of this line and the one before");
  EXPECT_EQ(SyntaxAdvice("did not find expected ',' or ']'", "", {}), SyntaxAdvice("", "", {})) << "no place to name";
}

TEST(Yaml, ExpandsAliasesAndMerges) {
  const Node root = One("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\nlist: [*b]\n");
  EXPECT_EQ(ToJson(*root.Find("use")), "{\"y\":3,\"x\":1}");
  EXPECT_EQ(ToJson(*root.Find("list")), "[{\"x\":1,\"y\":2}]");
  EXPECT_NE(ErrorOf("<<: 5"), "parsed");
}

TEST(Yaml, BoundsSizeDepthAndExpansion) {
  EXPECT_NE(ErrorOf(std::string(200, '[') + std::string(200, ']')).find("deeper than 100"), std::string::npos);
  EXPECT_EQ(ErrorOf(std::string(100, '[') + std::string(100, ']')), "parsed");
  std::string laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 9; ++j) laughs += "," + before;
    laughs += "]\n";
  }
  EXPECT_NE(ErrorOf(laughs).find("more than 500000 values"), std::string::npos);
  std::string deep;
  for (int i = 0; i < 4; ++i)
    deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " " + std::string(60, '[') +
            (i > 0 ? "*a" + std::to_string(i - 1) : "x") + std::string(60, ']') + "\n";
  EXPECT_NE(ErrorOf(deep).find("deeper than 100"), std::string::npos) << "aliases do not hide depth";
  EXPECT_NE(ErrorOf("abcdef", {.bytes = 5}).find("6 bytes, more than 5"), std::string::npos);
}

// "line: documents" of each part, or "line: error".
std::string PartsOf(const std::string& text, const Limits& limits = {}) {
  std::string out;
  for (const Part& part : ParseEach(text, "f.yaml", limits)) {
    out += std::to_string(part.line) + ":";
    if (!part.documents) out += " " + part.documents.error().ToString();
    for (const Node& document : part.documents.value_or(std::vector<Node>())) out += " " + ToJson(document);
    out += "\n";
  }
  return out;
}

TEST(Yaml, SkipsAByteOrderMark) {
  const std::string mark = "\xEF\xBB\xBF";
  const Node root = One(mark + "a: 1\nb:\n  c: 2\n");
  ASSERT_EQ(ToJson(root), R"({"a":1,"b":{"c":2}})");
  EXPECT_EQ(root.entries[0].at.column, 1U);
  EXPECT_EQ(One(mark + "# c\r\n---\r\na: 1\r\n").at.line, 3U);
  EXPECT_TRUE(ParseAll(mark, "f")->empty());
  EXPECT_EQ(ErrorOf(mark + "a: b: c\n"), ErrorOf("a: b: c\n"));
  EXPECT_EQ(ErrorOf(mark + "a: \xff\n"), ErrorOf("a: \xff\n"));
  EXPECT_EQ(PartsOf(mark + "a: 1\n---\nb: [\n"), PartsOf("a: 1\n---\nb: [\n"));
}

TEST(Yaml, ReadsWhatStandsBesideABrokenDocument) {
  EXPECT_EQ(PartsOf("a: 1\n---\nb: 2\n"), "1: {\"a\":1} {\"b\":2}\n") << "nothing is broken";
  EXPECT_EQ(PartsOf("# x\n%YAML 1.1\n---\na: 1\n---\nb: [\n--- # c\n\nc: 3\n---\ne: {f: 1\n"),
            "1: {\"a\":1}\n"
            "5: f.yaml:7:1: did not find expected node content (while parsing a flow node) (write the value that is "
            "missing, or close the bracket before it)\n"
            "7: {\"c\":3}\n"
            "10: f.yaml:12:1: did not find expected ',' or '}' (while parsing a flow mapping) (close the { opened at "
            "11:4, or put a comma between its fields)\n");
  EXPECT_EQ(PartsOf("a: \"\n--- x\n---\nb: \xff\n---x: y\n"),
            "1: f.yaml:2:1: found unexpected end of stream (while scanning a quoted scalar) (close the quote opened at "
            "1:4)\n"
            "2: \"x\"\n"
            "3: f.yaml:4:4: a byte that is not UTF-8 (save the file as UTF-8)\n");
  EXPECT_EQ(PartsOf("a: [\r---\rb: 1\r\n--- {\r\n"),
            "1: f.yaml:2:1: did not find expected node content (while parsing a flow node) (write the value that is "
            "missing, or close the bracket before it)\n"
            "2: {\"b\":1}\n"
            "4: f.yaml:5:1: did not find expected node content (while parsing a flow node) (write the value that is "
            "missing, or close the bracket before it)\n");
  EXPECT_EQ(PartsOf("a: [1, 2, 3]\n---\nb: [1, 2, 3]\n---\nc: 1\n", {.nodes = 7}),
            "1: {\"a\":[1,2,3]}\n"
            "2: f.yaml:3:5: the document has more than 7 values (aliases count as often as they are used)\n"
            "4: f.yaml:5:1: the document has more than 7 values (aliases count as often as they are used)\n")
      << "one limit for all";
}

TEST(Yaml, PrintsWhatReadsBackTheSame) {
  const Node root =
      One("a: {b: [1, {c: d}, []], 'x: y': \"5\"}\nlist:\n- k: v\n  l: [[1], [2]]\ntext: \"two\\nlines\"\nno: 'no'\n");
  EXPECT_EQ(One(ToYaml(root)), root) << ToYaml(root);
  EXPECT_EQ(One(ToJson(root)), root);
  EXPECT_EQ(One(ToPrettyJson(root)), root);
  const Node odd = One("\"\\N\\L\\P\\u0080\\ufeff\\uffff\\e\\u00e9\"");
  EXPECT_EQ(ToJson(odd), "\"\\u0085\\u2028\\u2029\\u0080\\ufeff\\uffff\\u001b\u00e9\"")
      << "line ends of YAML stay in the text";
  EXPECT_EQ(One(ToJson(odd)), odd);
  EXPECT_EQ(ToYaml(One("{spec: {hosts: [a, '*'], count: 5}, e: []}")),
            "spec:\n  hosts:\n  - a\n  - \"*\"\n  count: 5\ne: []\n");
}

TEST(Suggestion, IsNearOrAShortList) {
  EXPECT_EQ(Suggest("timout", {"timeout", "retries"}), "did you mean \"timeout\"?");
  EXPECT_EQ(Suggest("weigth", {"weight", "route"}), "did you mean \"weight\"?");
  EXPECT_EQ(Suggest("zzz", {"ALLOW", "DENY"}), "one of: ALLOW, DENY");
}

TEST(Parse, ReadsTheTextOfALiteralBlockWithThePlacesOfTheFile) {
  const auto outer = ParseOne("a: é\nb:\n  c: |2-  # comment\n\n      x:\r\n        é: [1, {z: y}]\n  d: '|'\n", "f");
  ASSERT_TRUE(outer) << outer.error().ToString();
  const Node& text = Locate(*outer, "b.c");
  const auto inner = ParseText(text, "f");
  ASSERT_TRUE(inner) << inner.error().ToString();
  ASSERT_EQ(inner->size(), 1U);
  EXPECT_TRUE(text.HasPlaces());
  EXPECT_EQ(MarkAt(inner->front(), "x.é[1].z"), (Mark{6, 20}));
  EXPECT_FALSE(Locate(*outer, "b.d").HasPlaces());
}

TEST(Parse, KnowsNoPlacesInATextThatIsNotWrittenAsItStands) {
  for (const char* scalar :
       {"'x: y'", "\"x: y\"", ">\n  x: y\n", "x", "&a |\n  x: y\n", "!!str |\n  x: y\n", "|\n", "|\n\n\n"}) {
    const auto outer = ParseOne(std::string("a: ") + scalar, "f");
    ASSERT_TRUE(outer) << scalar;
    EXPECT_FALSE(outer->Find("a")->HasPlaces()) << scalar;
  }
}

TEST(Parse, SaysTheFilesPlaceOfABrokenTextInALiteralBlock) {
  const auto outer = ParseOne("a:\n  b: |\n    x: [1,\n    y: 2\n    \n", "f");
  const auto inner = ParseText(*outer->Find("a")->Find("b"), "f");
  ASSERT_FALSE(inner);
  EXPECT_EQ(inner.error().at, At("f", {5, 5})) << inner.error().ToString();
  EXPECT_NE(inner.error().ToString().find("opened at 3:8"), std::string::npos) << inner.error().ToString();
}

}  // namespace
}  // namespace plait::yaml
