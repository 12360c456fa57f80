# Run while installing: brings Qt's plugins and the libraries that are neither of our own nor of every desktop into
# `folder`, and their licences into `notices`.
file(GLOB qt_plugins
  "${qt_plugin_dir}/platforms/libqxcb.so"
  "${qt_plugin_dir}/platforms/libqoffscreen.so"
  "${qt_plugin_dir}/platforms/libqminimal.so"
  "${qt_plugin_dir}/platforms/libqwayland-*.so"
  "${qt_plugin_dir}/iconengines/libqsvgicon.so"
  "${qt_plugin_dir}/imageformats/libq*.so"
  "${qt_plugin_dir}/platforminputcontexts/*.so"
  "${qt_plugin_dir}/platformthemes/libqxdgdesktopportal.so"
  "${qt_plugin_dir}/xcbglintegrations/*.so"
  "${qt_plugin_dir}/wayland-shell-integration/libxdg-shell.so"
  "${qt_plugin_dir}/wayland-decoration-client/*.so"
  "${qt_plugin_dir}/wayland-graphics-integration-client/libqt-plugin-wayland-egl.so")
set(copied)
foreach(plugin IN LISTS qt_plugins)
  file(RELATIVE_PATH place "${qt_plugin_dir}" "${plugin}")
  get_filename_component(place "${place}" DIRECTORY)
  file(COPY "${plugin}" DESTINATION "${folder}/qt/${place}")
  list(APPEND copied "${plugin}")
endforeach()

# Those of glibc and GCC, and what must be the desktop's own because it talks to the display server, the graphics
# driver or the font configuration.
set(of_the_system
  "^ld-linux" "^lib(c|m|dl|rt|pthread|util|resolv|anl|mvec|nsl)\\.so" "^libnss_" "^libstdc\\+\\+\\.so" "^libgcc_s\\.so"
  "^lib(GL|EGL|GLX|GLdispatch|OpenGL|GLESv2|gbm|drm|glapi)\\.so"
  "^libX(11|11-xcb|au|dmcp|ext|fixes|render)\\.so" "^libxcb\\.so" "^libwayland-"
  "^lib(fontconfig|freetype|expat|z|uuid)\\.so")
file(GLOB own_libraries "${own_dir}/libsupralens-*.so")
file(GET_RUNTIME_DEPENDENCIES
  EXECUTABLES ${own_programs}
  LIBRARIES ${own_libraries}
  MODULES ${qt_plugins}
  DIRECTORIES "${own_dir}" "${libtorch_dir}"
  RESOLVED_DEPENDENCIES_VAR resolved
  UNRESOLVED_DEPENDENCIES_VAR unresolved
  CONFLICTING_DEPENDENCIES_PREFIX conflicting
  PRE_EXCLUDE_REGEXES "^libsupralens-" ${already_there} ${of_the_system})
if(unresolved)
  message(FATAL_ERROR "These libraries are needed and were not found: ${unresolved}")
endif()
foreach(library IN LISTS resolved conflicting_FILENAMES)
  if(NOT IS_ABSOLUTE "${library}")
    list(GET conflicting_${library} 0 library)
  endif()
  file(REAL_PATH "${library}" real)
  get_filename_component(name "${library}" NAME)
  file(COPY_FILE "${real}" "${folder}/${name}")
  file(CHMOD "${folder}/${name}" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  list(APPEND copied "${real}")
endforeach()

find_program(dpkg_query dpkg-query)
if(dpkg_query)
  set(packages)
  foreach(file IN LISTS copied)
    # Debian's folders have two names, /lib and /usr/lib, and a package is listed under one of them.
    string(REGEX REPLACE "^/usr/lib/" "/lib/" other "${file}")
    execute_process(COMMAND "${dpkg_query}" -S "${file}" "${other}" OUTPUT_VARIABLE owner ERROR_QUIET)
    if(owner MATCHES "^([^:,]+)")
      list(APPEND packages "${CMAKE_MATCH_1}")
    endif()
  endforeach()
  list(REMOVE_DUPLICATES packages)
  file(MAKE_DIRECTORY "${notices}")
  foreach(package IN LISTS packages)
    file(REAL_PATH "/usr/share/doc/${package}/copyright" copyright)
    file(COPY_FILE "${copyright}" "${notices}/${package}")
  endforeach()
endif()
