# Headers are more than half of what g++ does for a file. Those that nearly all files of a house or room share are read once,
# into precompiled headers: cmake/precompiled/*.h. Not with clang (preset asan), which so checks that each file includes what
# it uses.
option(PLAIT_PCH "Precompile the headers that a house shares" ON)

# g++ takes a precompiled header only with the options that it was made with, -fPIC or -fPIE among them: each is made for
# libraries or, with gtest, for tests and fuzz targets (_test). TARGET only stands for the header. LIBRARIES: whose headers it
# includes.
function(plait_make_precompiled target header)
  cmake_parse_arguments(ARG "" "" "OPTIONS;LIBRARIES" ${ARGN})
  set(source ${CMAKE_BINARY_DIR}/${target}.cc)
  file(WRITE ${source} "int main() {}\n")
  if(target MATCHES "_test$")
    add_executable(${target} EXCLUDE_FROM_ALL ${source})
    target_precompile_headers(${target} PRIVATE <gtest/gtest.h>)
  else()
    add_library(${target} OBJECT EXCLUDE_FROM_ALL ${source})
  endif()
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  foreach(library ${ARG_LIBRARIES})
    target_include_directories(${target} SYSTEM PRIVATE $<TARGET_PROPERTY:${library},INTERFACE_INCLUDE_DIRECTORIES>)
  endforeach()
  target_compile_options(${target} PRIVATE -fpch-preprocess ${ARG_OPTIONS})
  target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/precompiled/${header}.h)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/CMakeFiles
    CXX_COMPILER_LAUNCHER "${CMAKE_SOURCE_DIR}/cmake/precompile;${CMAKE_SOURCE_DIR}")
endfunction()

# plait_precompiled(TARGET KIND): for a target of this folder; KIND is empty or _test.
function(plait_precompiled target kind)
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR})
  set(from core)
  if(NOT kind AND folder STREQUAL "control/model")
    set(from model)
  elseif(NOT kind AND folder MATCHES "^core/xds")
    set(from xds)
  elseif(folder MATCHES "^(proxy|control|cli)(/|$)")
    set(from ${CMAKE_MATCH_1})
  endif()
  if(TARGET precompiled_${from}${kind})
    target_compile_options(${target} PRIVATE -fpch-preprocess)
    target_precompile_headers(${target} REUSE_FROM precompiled_${from}${kind})
  endif()
endfunction()

if(PLAIT_PCH AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  foreach(house core proxy control cli)
    plait_make_precompiled(precompiled_${house} ${house})
    plait_make_precompiled(precompiled_${house}_test ${house} OPTIONS $<$<CONFIG:Release>:-O1>)
  endforeach()
  plait_make_precompiled(precompiled_xds xds LIBRARIES plait_third_party::apis_dp)
  plait_make_precompiled(precompiled_model model)
endif()
