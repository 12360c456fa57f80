# What desktops, manuals and lawyers look for, and the script that fetches models.

set(doc_dir share/doc/supralens)

install(PROGRAMS packaging/get-model DESTINATION libexec/supralens COMPONENT application)
install(FILES packaging/wheels.py DESTINATION libexec/supralens COMPONENT application)
install(DIRECTORY packaging/models DESTINATION libexec/supralens COMPONENT application)

install(FILES packaging/debian/copyright DESTINATION ${doc_dir} COMPONENT application)
get_filename_component(libtorch_root "${LibTorch_INCLUDE_DIR}" DIRECTORY)
install(DIRECTORY "${libtorch_root}/licenses/" DESTINATION ${doc_dir}/third-party COMPONENT application OPTIONAL)

if(NOT UNIX OR APPLE)
  return()
endif()

# install_compressed(<component> <file> <path below the prefix without .gz>): as Debian wants it, without time or name.
function(install_compressed component file path)
  install(CODE "
    set(target \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${path}.gz\")
    get_filename_component(folder \"\${target}\" DIRECTORY)
    file(MAKE_DIRECTORY \"\${folder}\")
    execute_process(COMMAND gzip -9nc \"${file}\" OUTPUT_FILE \"\${target}\" COMMAND_ERROR_IS_FATAL ANY)
    file(CHMOD \"\${target}\" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)" COMPONENT ${component} ${ARGN})
endfunction()

set(id org.supralens.SupraLens)
install(FILES packaging/linux/${id}.desktop DESTINATION share/applications COMPONENT application)
install(FILES packaging/linux/${id}.metainfo.xml DESTINATION share/metainfo COMPONENT application)
install(FILES packaging/linux/${id}.mime.xml RENAME ${id}.xml DESTINATION share/mime/packages COMPONENT application)
install(FILES resources/icons/supralens.svg RENAME ${id}.svg DESTINATION share/icons/hicolor/scalable/apps
        COMPONENT application)
foreach(size 16 22 24 32 48 64 96 128 256 512)
  install(FILES resources/icons/application/${size}.png RENAME ${id}.png
          DESTINATION share/icons/hicolor/${size}x${size}/apps COMPONENT application)
endforeach()
foreach(page supralens.1 supralens-cli.1)
  install_compressed(application "${PROJECT_SOURCE_DIR}/packaging/linux/${page}" share/man/man1/${page})
endforeach()

# Only in Debian's packages, one component each.
foreach(package supralens supralens-dev supralens-cuda)
  install_compressed(${package} "${PROJECT_SOURCE_DIR}/packaging/debian/changelog"
                     share/doc/${package}/changelog.Debian EXCLUDE_FROM_ALL)
  install(FILES packaging/debian/${package}.lintian-overrides DESTINATION share/lintian/overrides RENAME ${package}
          COMPONENT ${package} EXCLUDE_FROM_ALL)
endforeach()
install(FILES packaging/debian/copyright DESTINATION share/doc/supralens-dev COMPONENT supralens-dev
        EXCLUDE_FROM_ALL)
install(FILES packaging/debian/supralens-cuda.copyright RENAME copyright DESTINATION share/doc/supralens-cuda
        COMPONENT supralens-cuda EXCLUDE_FROM_ALL)
