# Libraries that are not ours. From Debian: found here, linked by the folder that needs them (docs/dependencies.md).
# Pinned elsewhere: built once outside the tree by third_party/*/build, shared by all presets and checkouts.

# Runs third_party/NAME/build; its last line of output is the folder with lib/ and include/.
function(plait_third_party_dir name result)
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/third_party/${name}/build
    OUTPUT_VARIABLE dir OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(${result} ${dir} PARENT_SCOPE)
  # A changed pin or recipe runs this again.
  file(GLOB pins CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/third_party/${name}/*)
  list(FILTER pins EXCLUDE REGEX "/(target|src)$")
  set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${pins})
endfunction()

# AWS-LC: the only TLS and cryptography library of every binary.
plait_third_party_dir(tls PLAIT_TLS_DIR)
add_library(plait_third_party::crypto STATIC IMPORTED GLOBAL)
set_target_properties(plait_third_party::crypto PROPERTIES
  IMPORTED_LOCATION ${PLAIT_TLS_DIR}/lib/libcrypto.a
  INTERFACE_INCLUDE_DIRECTORIES ${PLAIT_TLS_DIR}/include)   # imported targets' includes are -isystem
add_library(plait_third_party::ssl STATIC IMPORTED GLOBAL)
set_target_properties(plait_third_party::ssl PROPERTIES
  IMPORTED_LOCATION ${PLAIT_TLS_DIR}/lib/libssl.a
  INTERFACE_LINK_LIBRARIES plait_third_party::crypto)
