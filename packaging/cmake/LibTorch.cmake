# LibTorch as an imported target of our own: `LibTorch::LibTorch`.
#
# The wheel's TorchConfig.cmake insists on a CUDA toolkit, which a CPU build does not need. A LibTorch of the
# user's own is found through CMAKE_PREFIX_PATH; otherwise the copy that `./run` and `./test` unpack is used.

find_path(LibTorch_INCLUDE_DIR torch/csrc/api/include/torch/torch.h
          HINTS "${PROJECT_SOURCE_DIR}/third_party/libtorch"
          PATH_SUFFIXES include)
find_library(LibTorch_CPU_LIBRARY torch_cpu HINTS "${PROJECT_SOURCE_DIR}/third_party/libtorch" PATH_SUFFIXES lib)
find_library(LibTorch_C10_LIBRARY c10 HINTS "${PROJECT_SOURCE_DIR}/third_party/libtorch" PATH_SUFFIXES lib)

if(NOT LibTorch_INCLUDE_DIR OR NOT LibTorch_CPU_LIBRARY OR NOT LibTorch_C10_LIBRARY)
  message(FATAL_ERROR "LibTorch was not found. Run ./run or ./test once: they fetch the pinned LibTorch. "
                      "Or pass -DCMAKE_PREFIX_PATH=/where/libtorch/is.")
endif()

add_library(LibTorch::C10 SHARED IMPORTED)
set_target_properties(LibTorch::C10 PROPERTIES IMPORTED_LOCATION "${LibTorch_C10_LIBRARY}")

add_library(LibTorch::LibTorch SHARED IMPORTED)
set_target_properties(LibTorch::LibTorch PROPERTIES
  IMPORTED_LOCATION "${LibTorch_CPU_LIBRARY}"
  INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIR};${LibTorch_INCLUDE_DIR}/torch/csrc/api/include"
  INTERFACE_LINK_LIBRARIES LibTorch::C10)
