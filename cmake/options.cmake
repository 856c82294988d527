# Compiler options of all presets. What differs between presets stands in CMakePresets.json.
set(PLAIT_SANITIZE "" CACHE STRING "address | thread | empty")
option(PLAIT_FUZZ "Link *_fuzz.cc with libFuzzer instead of the corpus replay main" OFF)

find_program(PLAIT_CCACHE ccache)
if(PLAIT_CCACHE)
  # One cache for all checkouts: paths are made relative to the source tree.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_PCH_EXTSUM=1 ${PLAIT_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

find_program(PLAIT_MOLD mold)
if(PLAIT_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# Paths in assertions and debug information do not tell where the tree lies (reproducible, cacheable).
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffunction-sections -fdata-sections)
add_link_options(-Wl,--gc-sections)

if(PLAIT_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(PLAIT_SANITIZE STREQUAL "thread")
  # protobuf's headers give maps another layout when they see TSan; generated code and the library are compiled without.
  add_compile_options(-fsanitize=thread -U__SANITIZE_THREAD__)
  add_link_options(-fsanitize=thread)
else()
  # FORTIFY needs optimisation; sanitizers bring their own checks.
  add_compile_options(-fstack-protector-strong -fcf-protection=full $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=3>)
  add_link_options(-Wl,-z,relro,-z,now)
endif()

if(PLAIT_SANITIZE)
  add_compile_definitions(PLAIT_SANITIZED)
endif()

# Applied by plait_library to our own targets only, never to generated code.
# Designated initializers are meant to leave members out: each has its default beside it.
option(PLAIT_WERROR "Warnings are errors" ON)
set(PLAIT_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wno-missing-field-initializers)
if(PLAIT_WERROR)
  list(APPEND PLAIT_WARNINGS -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # With -O2 or a sanitizer g++ 12 gives these for correct uses of std::optional, std::expected and std::string.
  list(APPEND PLAIT_WARNINGS -Wno-maybe-uninitialized -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow
    -Wno-stringop-overread -Wno-free-nonheap-object)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # g++ judges; clang only fuzzes, and its warnings differ from version to version.
  list(REMOVE_ITEM PLAIT_WARNINGS -Werror)
  list(APPEND PLAIT_WARNINGS -Wno-missing-designated-field-initializers -Wno-unknown-warning-option)
endif()

find_package(Threads REQUIRED)
