# Libraries that are not ours. From Debian: found here, linked by the folder that needs them (docs/dependencies.md).
# Pinned elsewhere: built once outside the tree by third_party/*/build, shared by all presets and checkouts.

# Runs third_party/NAME/build with the further arguments; its output is the folder with lib/ and include/.
function(plait_third_party_dir result name)
  set(source ${CMAKE_SOURCE_DIR}/third_party/${name})
  execute_process(COMMAND ${source}/build ${ARGN}
    OUTPUT_VARIABLE dir OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(${result} ${dir} PARENT_SCOPE)
  # A changed pin or recipe runs this again.
  file(GLOB_RECURSE pins ${source}/build ${source}/*.lock ${source}/go.sum ${source}/*.go ${source}/*.txt ${source}/*.h)
  set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${pins})
endfunction()

# plait_third_party::NAME from DIR/lib/libLIB.a; an imported target's include folders are -isystem.
function(plait_third_party_library name lib dir)
  add_library(plait_third_party::${name} STATIC IMPORTED GLOBAL)
  set_target_properties(plait_third_party::${name} PROPERTIES
    IMPORTED_LOCATION ${dir}/lib/lib${lib}.a
    INTERFACE_INCLUDE_DIRECTORIES ${dir}/include
    INTERFACE_LINK_LIBRARIES "${ARGN}")
endfunction()

# AWS-LC: the only TLS and cryptography library of every binary.
plait_third_party_dir(PLAIT_TLS_DIR tls)
plait_third_party_library(crypto crypto ${PLAIT_TLS_DIR})
plait_third_party_library(ssl ssl ${PLAIT_TLS_DIR} plait_third_party::crypto)

# plait_debian_static(NAME LIB deps...): plait_third_party::NAME from Debian's libLIB.a, by its path: -l would take the .so.
function(plait_debian_static name lib)
  find_library(PLAIT_LIB_${name} NAMES lib${lib}.a REQUIRED)
  add_library(plait_third_party::${name} STATIC IMPORTED GLOBAL)
  set_target_properties(plait_third_party::${name} PROPERTIES
    IMPORTED_LOCATION ${PLAIT_LIB_${name}} INTERFACE_LINK_LIBRARIES "${ARGN}")
endfunction()
plait_debian_static(zlib z)
plait_debian_static(protobuf protobuf plait_third_party::zlib)
plait_debian_static(nghttp2 nghttp2)
plait_debian_static(yaml yaml)
plait_debian_static(re2 re2)

# Generated APIs: apis_dp is what goes over the wire (Envoy, xDS, OTLP, workload index, CA, gRPC health and reflection,
# and Plait's own messages), apis_cp what only plaitd and the command line read (Istio's and Kubernetes' kinds).
plait_third_party_dir(PLAIT_APIS_DP_DIR apis data_plane)
plait_third_party_dir(PLAIT_APIS_CP_DIR apis control_plane)
plait_third_party_library(apis_dp apis_dp ${PLAIT_APIS_DP_DIR} plait_third_party::protobuf)
plait_third_party_library(apis_cp apis_cp ${PLAIT_APIS_CP_DIR} plait_third_party::apis_dp)
file(GLOB_RECURSE protos CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/api/*.proto)
set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${protos})
