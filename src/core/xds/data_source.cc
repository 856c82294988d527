#include "core/xds/data_source.h"

#include <cstdlib>

#include "core/io/bounded_file.h"

namespace plait::xds {

Outcome<std::string> ReadSource(const DataSource& source, std::size_t most) {
  switch (source.kind) {
    case DataSource::Kind::kNone: return std::string();
    case DataSource::Kind::kInline: return source.value;
    case DataSource::Kind::kEnvironment: {
      const char* value = std::getenv(source.value.c_str());
      if (value == nullptr) return Explain(Errc::kNotFound, "environment variable " + source.value + " is not set");
      return std::string(value);
    }
    case DataSource::Kind::kFile: break;
  }
  Outcome<std::string> text = io::ReadBounded(source.value, most, io::Pipes::kRefused);
  // The place of the error is the object that names the file.
  if (!text) return Explain(text.error().code, source.value + " " + text.error().message, text.error().hint);
  return text;
}

}  // namespace plait::xds
