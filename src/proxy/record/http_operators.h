#pragma once
// Command operators (operators.h) of what a request and its response say: heads, trailers, the query, traces, gRPC.
// Each is a Format::Value.
#include <string>

#include "proxy/record/format.h"

namespace plait::proxy::record::operators {

// Of headers, by name, or by the other one where the first is not there. With the empty text for one that is there
// without one.
bool RequestField(const StreamRecord& r, const Format::Piece& piece, std::string& out);
bool RequestFieldWithoutQuery(const StreamRecord& r, const Format::Piece& piece, std::string& out);
bool ResponseField(const StreamRecord& r, const Format::Piece& piece, std::string& out);
bool TrailerField(const StreamRecord& r, const Format::Piece& piece, std::string& out);
bool RequestHeadersBytes(const StreamRecord& r, const Format::Piece& piece, std::string& out);
bool ResponseHeadersBytes(const StreamRecord& r, const Format::Piece& piece, std::string& out);
bool TrailersBytes(const StreamRecord& r, const Format::Piece& piece, std::string& out);

// "WQ" or "NQ", ":", "ORIG", "PATH" or "ORIG_OR_PATH".
bool Path(const StreamRecord& r, const Format::Piece& piece, std::string& out);
bool QueryParams(const StreamRecord& r, const Format::Piece& piece, std::string& out);
// The first one of that name, both decoded.
bool QueryParam(const StreamRecord& r, const Format::Piece& piece, std::string& out);
// The server's name of TLS, or the host, as the argument says: "SNI_FIRST", ":", whose host.
bool ServerName(const StreamRecord& r, const Format::Piece& piece, std::string& out);

// A request's x-request-id; of a connection one that no other has, of this process or another.
bool StreamId(const StreamRecord& r, const Format::Piece& piece, std::string& out);
bool TraceId(const StreamRecord& r, const Format::Piece& piece, std::string& out);
bool SpanId(const StreamRecord& r, const Format::Piece& piece, std::string& out);

// "" and CAMEL_STRING, SNAKE_STRING, NUMBER.
bool GrpcStatus(const StreamRecord& r, const Format::Piece& piece, std::string& out);
bool GrpcStatusNumber(const StreamRecord& r, const Format::Piece& piece, std::string& out);

}  // namespace plait::proxy::record::operators
