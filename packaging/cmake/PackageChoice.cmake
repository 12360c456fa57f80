# Read by cpack for each generator. SUPRALENS_PACKAGE: application (unless said otherwise), development or cuda.
if(NOT SUPRALENS_PACKAGE)
  set(SUPRALENS_PACKAGE application)
endif()

set(CPACK_PACKAGE_FILE_NAME "supralens-${CPACK_PACKAGE_VERSION}-${CPACK_SYSTEM_NAME}-x86_64")
if(CPACK_GENERATOR STREQUAL "DEB")
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  if(SUPRALENS_PACKAGE STREQUAL "application")
    set(CPACK_COMPONENTS_ALL application plugins supralens)
    set(CPACK_DEBIAN_PACKAGE_NAME supralens)
    set(CPACK_DEBIAN_PACKAGE_SECTION science)
    # The icons and drawings are SVG, which Qt reads by a plugin; without any font there would be no text.
    set(CPACK_DEBIAN_PACKAGE_DEPENDS "libqt6svg6, fonts-dejavu-core | fonts-liberation2 | fonts-noto-core, python3:any")
    set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "qt6-wayland, python3-pip-whl")
    set(CPACK_DEBIAN_PACKAGE_SUGGESTS "supralens-cuda, supralens-dev")
    set(CPACK_PACKAGE_DESCRIPTION
        "SUPRA Lens gives the same prompt to two to four language models, shows the
answers side by side while they are being written, and looks inside: norms of
recurrent states, decay of every head, attention and its implied counterpart.

Softmax models of the Llama and Mistral families are converted into linear
recurrent ones in memory (SUPRA, T2R), and uptrained, distilled or given an
adapter. It reads Hugging Face folders, GGUF, llama2.c and open_lm files, needs
no network and keeps every session.

Four small models of children's stories and a private LibTorch for the CPU are included.")
  elseif(SUPRALENS_PACKAGE STREQUAL "development")
    set(CPACK_COMPONENTS_ALL development supralens-dev)
    set(CPACK_DEBIAN_PACKAGE_NAME supralens-dev)
    set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
    set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS OFF)
    set(CPACK_DEBIAN_PACKAGE_DEPENDS
        "supralens (= ${CPACK_PACKAGE_VERSION}-1), libexpected-dev, nlohmann-json3-dev")
    set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "headers for plugins of SUPRA Lens")
    set(CPACK_PACKAGE_DESCRIPTION
        "Headers and a CMake package to build further architecture families for
SUPRA Lens, with the headers of the LibTorch that the program contains.")
  elseif(SUPRALENS_PACKAGE STREQUAL "cuda")
    set(CPACK_COMPONENTS_ALL cuda supralens-cuda)
    set(CPACK_DEBIAN_PACKAGE_NAME supralens-cuda)
    set(CPACK_DEBIAN_PACKAGE_SECTION non-free/science)
    set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS OFF)
    set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
    set(CPACK_DEBIAN_PACKAGE_DEPENDS "supralens (= ${CPACK_PACKAGE_VERSION}-1), libc6, libstdc++6, libgcc-s1")
    set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libcuda1 | libcuda.so.1")
    set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "SUPRA Lens on NVIDIA cards")
    set(CPACK_PACKAGE_DESCRIPTION
        "LibTorch's CUDA half and the libraries of NVIDIA that it needs. SUPRA Lens
finds them when it starts; the driver of the card comes from elsewhere.")
  endif()
else()
  set(CPACK_COMPONENTS_ALL application plugins bundle)
  set(CPACK_COMPONENT_INCLUDE_TOPLEVEL_DIRECTORY ON)
  set(CPACK_PACKAGING_INSTALL_PREFIX /)
  if(CPACK_GENERATOR STREQUAL "RPM")
    set(CPACK_COMPONENT_INCLUDE_TOPLEVEL_DIRECTORY OFF)
    set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
    set(CPACK_RPM_PACKAGE_DESCRIPTION
        "Gives the same prompt to two to four language models, shows the answers side by side and looks inside. \
A private LibTorch for the CPU and a private Qt are included.")
  endif()
  if(SUPRALENS_PACKAGE STREQUAL "cuda")
    set(CPACK_COMPONENTS_ALL cuda)
    set(CPACK_PACKAGE_FILE_NAME "${CPACK_PACKAGE_FILE_NAME}-cuda")
  endif()
endif()
