# What every target of the project is compiled with.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(BUILD_SHARED_LIBS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")

option(SUPRALENS_ASAN "Build with the address and undefined-behaviour sanitizers" OFF)

add_compile_options(-Wall -Wextra -Werror)
# torch declares members called `slots`, which Qt's keyword macros would break.
add_compile_definitions(QT_NO_KEYWORDS)

if(SUPRALENS_ASAN)
  add_compile_options(-fsanitize=address,undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # GCC's precompiled headers are cached only when ccache is told that their macros and times may be trusted.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_DEPEND=1 CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime "${CCACHE_PROGRAM}")
  add_compile_options(-fpch-preprocess)
endif()

# A core library: supralens_<name>, its sources being all of core/<name>.
function(supralens_core_library name)
  add_library(supralens_${name} SHARED ${ARGN})
  set_target_properties(supralens_${name} PROPERTIES OUTPUT_NAME supralens-${name} AUTOMOC OFF
                        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  target_include_directories(supralens_${name} PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/core>")
  target_compile_features(supralens_${name} PUBLIC cxx_std_20)
endfunction()

# For targets whose sources include torch: link it and share one precompiled header, since parsing ATen.h takes
# many seconds. Sharing needs equal code generation flags, hence -fPIC for executables too.
function(supralens_use_torch target)
  target_link_libraries(${target} PUBLIC LibTorch::LibTorch)
  target_link_libraries(${target} PRIVATE supralens_torch_pch)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
  target_precompile_headers(${target} REUSE_FROM supralens_torch_pch)
endfunction()
