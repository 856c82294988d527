#pragma once
// Message types that a configuration may name in an Any and that decoders know by their name alone, because nothing in
// them is read.

namespace plait::xds {

// Reading YAML needs their descriptors, and a static link drops what nobody refers to.
void LinkNamedTypes();

}  // namespace plait::xds
