# What is installed where, in components: `application` and `plugins` are what users get, `development` what plugins
# outside of this tree are built with, `bundle` Qt and other libraries for systems that lack them, `cuda` the other half
# of LibTorch. Everything of our own finds its libraries by its own place, so that the whole can be moved.
#
#   bin/                     supralens, supralens-cli
#   lib/supralens/           own libraries and a private LibTorch; supralens-plugin-trial
#   lib/supralens/plugins/   architecture families
#   lib/supralens/qt/        plugins of a Qt that is brought along
#   share/supralens/models/  the demo models
#   include/supralens/       headers of the core; libtorch/: LibTorch's
#   lib/cmake/SupraLens/     find_package(SupraLens)
include(CMakePackageConfigHelpers)

set(private_dir lib/supralens)

set(programs supralens supralens-cli)
set(exported_libraries supralens_base supralens_kernels supralens_tensor supralens_text supralens_checkpoint supralens_model)
set(private_libraries supralens_corpus supralens_engine supralens_uptrain supralens_store supralens_bridge supralens_widgets supralens_plot
    supralens_lens supralens_models supralens_sessions supralens_training supralens_compare)

set(plugins)
get_property(plugin_folders DIRECTORY "${PROJECT_SOURCE_DIR}/plugins" PROPERTY SUBDIRECTORIES)
foreach(folder IN LISTS plugin_folders)
  get_property(targets DIRECTORY "${folder}" PROPERTY BUILDSYSTEM_TARGETS)
  list(FILTER targets INCLUDE REGEX "^supralens-plugin-")
  list(APPEND plugins ${targets})
endforeach()
add_custom_target(supralens-plugins DEPENDS ${plugins})

# In the programs DT_RPATH, which holds for the libraries of libraries too, not DT_RUNPATH: in the packages that bring
# Qt and its companions along, those come from the system that packed them and have no path of their own.
set_target_properties(${programs} PROPERTIES INSTALL_RPATH "$ORIGIN/../${private_dir}")
target_link_options(supralens PRIVATE LINKER:--disable-new-dtags)
target_link_options(supralens-cli PRIVATE LINKER:--disable-new-dtags)
target_link_options(supralens-plugin-trial PRIVATE LINKER:--disable-new-dtags)
set_target_properties(${exported_libraries} ${private_libraries} supralens-plugin-trial
                      PROPERTIES INSTALL_RPATH "$ORIGIN")
install(TARGETS ${programs} RUNTIME DESTINATION bin COMPONENT application)
install(TARGETS ${private_libraries} LIBRARY DESTINATION ${private_dir} COMPONENT application NAMELINK_COMPONENT unused)
install(TARGETS supralens-plugin-trial RUNTIME DESTINATION ${private_dir} COMPONENT application)
if(plugins)
  set_target_properties(${plugins} PROPERTIES INSTALL_RPATH "$ORIGIN/..")
  install(TARGETS ${plugins} LIBRARY DESTINATION ${private_dir}/plugins COMPONENT plugins)
endif()

install(DIRECTORY "${PROJECT_SOURCE_DIR}/resources/models/" DESTINATION share/supralens/models COMPONENT application
        PATTERN make EXCLUDE)
# The build folder has them at the same place as an installation.
file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/share/supralens")
file(CREATE_LINK "${PROJECT_SOURCE_DIR}/resources/models" "${PROJECT_BINARY_DIR}/share/supralens/models" SYMBOLIC)

# LibTorch: what libtorch_cpu.so needs when it is loaded, and no more. Its own paths point into Python's folders.
get_filename_component(libtorch_lib_dir "${LibTorch_CPU_LIBRARY}" REALPATH)
get_filename_component(libtorch_lib_dir "${libtorch_lib_dir}" DIRECTORY)
file(GLOB libtorch_companions "${libtorch_lib_dir}/libgomp*.so*" "${libtorch_lib_dir}/libcudart*.so*"
     "${libtorch_lib_dir}/libcupti*.so*")
set(libtorch_libraries "${LibTorch_CPU_LIBRARY}" "${LibTorch_C10_LIBRARY}" ${libtorch_companions})
install(FILES ${libtorch_libraries} DESTINATION ${private_dir} COMPONENT application)
set(libtorch_names)
foreach(library IN LISTS libtorch_libraries)
  get_filename_component(name "${library}" NAME)
  list(APPEND libtorch_names "${name}")
endforeach()
install(CODE "
  set(folder \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${private_dir}\")
  set(libraries ${libtorch_names})
  set(strip \"${CMAKE_STRIP}\")
  include(\"${PROJECT_SOURCE_DIR}/packaging/cmake/TidyLibraries.cmake\")" COMPONENT application)

# The same for NVIDIA cards, where packaging/fetch-libtorch --cuda put it.
set(cuda_dir "${PROJECT_SOURCE_DIR}/third_party/libtorch-cuda")
install(DIRECTORY "${cuda_dir}/lib/" DESTINATION ${private_dir} COMPONENT cuda EXCLUDE_FROM_ALL OPTIONAL)
install(DIRECTORY "${cuda_dir}/licenses/" DESTINATION share/doc/supralens-cuda/third-party COMPONENT cuda
        EXCLUDE_FROM_ALL OPTIONAL)
install(CODE "
  set(folder \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${private_dir}\")
  file(GLOB libraries RELATIVE \"\${folder}\" \"\${folder}/*.so*\")
  set(strip \"${CMAKE_STRIP}\")
  include(\"${PROJECT_SOURCE_DIR}/packaging/cmake/TidyLibraries.cmake\")" COMPONENT cuda EXCLUDE_FROM_ALL)

# For systems without a Qt of this version.
get_target_property(qt_core Qt6::Core LOCATION)
get_filename_component(qt_lib_dir "${qt_core}" DIRECTORY)
list(TRANSFORM libtorch_names REPLACE "\\." "\\\\." OUTPUT_VARIABLE libtorch_patterns)
list(TRANSFORM libtorch_patterns PREPEND "^")
install(CODE "
  set(folder \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${private_dir}\")
  set(notices \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share/doc/supralens/third-party/debian\")
  set(own_programs \"$<TARGET_FILE:supralens>\" \"$<TARGET_FILE:supralens-cli>\")
  set(own_dir \"${PROJECT_BINARY_DIR}/lib\")
  set(libtorch_dir \"${libtorch_lib_dir}\")
  set(already_there [==[${libtorch_patterns}]==])
  set(qt_plugin_dir \"${qt_lib_dir}/qt6/plugins\")
  include(\"${PROJECT_SOURCE_DIR}/packaging/cmake/BundleLibraries.cmake\")" COMPONENT bundle EXCLUDE_FROM_ALL)

# Development.
set(include_dir include/supralens)
foreach(folder base kernels tensor text checkpoint mixer model probe)
  install(DIRECTORY core/${folder} DESTINATION ${include_dir} COMPONENT development FILES_MATCHING PATTERN "*.h"
          PATTERN "*-inl.h" EXCLUDE)
endforeach()
install(DIRECTORY "${LibTorch_INCLUDE_DIR}/" DESTINATION ${include_dir}/libtorch COMPONENT development)

set(cmake_dir lib/cmake/SupraLens)
foreach(library IN LISTS exported_libraries)
  string(REPLACE supralens_ "" name ${library})
  set_target_properties(${library} PROPERTIES EXPORT_NAME ${name})
endforeach()
install(TARGETS ${exported_libraries} EXPORT SupraLensTargets
        LIBRARY DESTINATION ${private_dir} COMPONENT application NAMELINK_COMPONENT development
        INCLUDES DESTINATION ${include_dir})
install(EXPORT SupraLensTargets NAMESPACE SupraLens:: DESTINATION ${cmake_dir} COMPONENT development)
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/SupraLensConfig.cmake.in"
                              "${PROJECT_BINARY_DIR}/packaging/SupraLensConfig.cmake"
                              INSTALL_DESTINATION ${cmake_dir} PATH_VARS include_dir private_dir)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/packaging/SupraLensConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/packaging/SupraLensConfig.cmake"
              "${PROJECT_BINARY_DIR}/packaging/SupraLensConfigVersion.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/LibTorch.cmake" "${CMAKE_CURRENT_LIST_DIR}/Plugin.cmake"
        DESTINATION ${cmake_dir} COMPONENT development)
