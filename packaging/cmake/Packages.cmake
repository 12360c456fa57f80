# What CPack makes of the installed components. packaging/build runs it; PackageChoice.cmake says what differs between
# the kinds of packages.
set(CPACK_PACKAGE_NAME supralens)
set(CPACK_PACKAGE_VENDOR "SUPRA Lens maintainers")
set(CPACK_PACKAGE_CONTACT "SUPRA Lens maintainers <maintainers@users.noreply.r-seed-5cb92548.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "compare language models with their recurrent conversions")
set(CPACK_PACKAGE_INSTALL_DIRECTORY "SUPRA Lens")
set(CPACK_PACKAGE_EXECUTABLES supralens "SUPRA Lens")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_PACKAGE_ICON "${PROJECT_SOURCE_DIR}/resources/icons/application/256.png")
set(CPACK_OUTPUT_FILE_PREFIX "${PROJECT_SOURCE_DIR}/build/packages")
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/packaging")
set(CPACK_PROJECT_CONFIG_FILE "${CMAKE_CURRENT_LIST_DIR}/PackageChoice.cmake")
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_COMPONENTS_ALL application)
set(CPACK_STRIP_FILES ON)
set(CPACK_THREADS 0)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

# Debian. The folders tell dpkg-shlibdeps where the private libraries are, for which no package is to be named.
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${PROJECT_BINARY_DIR}/lib" "${libtorch_lib_dir}")

# What brings Qt along.
set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
set(CPACK_RPM_COMPONENT_INSTALL ON)
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_RELEASE 1)
set(CPACK_RPM_PACKAGE_LICENSE GPL-3.0-or-later)
set(CPACK_RPM_PACKAGE_RELOCATABLE OFF)
set(CPACK_RPM_PACKAGE_GROUP Applications/Engineering)
set(CPACK_RPM_COMPRESSION_TYPE xz)
# Nothing is searched for symbols: the libraries are private, and those of the system are named by hand.
set(CPACK_RPM_PACKAGE_AUTOREQPROV OFF)
set(CPACK_RPM_PACKAGE_REQUIRES "glibc >= 2.36, libstdc++ >= 12, fontconfig, freetype, libX11, libxcb, libglvnd-egl, \
libglvnd-glx, libglvnd-opengl, zlib, hicolor-icon-theme, shared-mime-info, desktop-file-utils")
set(CPACK_RPM_SPEC_MORE_DEFINE "%define _build_id_links none\n%define __os_install_post %{nil}\n\
%define use_source_date_epoch_as_buildtime 1\n%define clamp_mtime_to_source_date_epoch 1\n%define _buildhost supralens")
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /usr/share/applications /usr/share/metainfo /usr/share/mime
    /usr/share/mime/packages /usr/share/icons /usr/share/icons/hicolor /usr/share/icons/hicolor/scalable
    /usr/share/icons/hicolor/scalable/apps /usr/libexec /usr/share/man /usr/share/man/man1 /usr/share/doc)
foreach(size 16 22 24 32 48 64 96 128 256 512)
  list(APPEND CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /usr/share/icons/hicolor/${size}x${size}
       /usr/share/icons/hicolor/${size}x${size}/apps)
endforeach()

# Windows.
set(CPACK_NSIS_DISPLAY_NAME "SUPRA Lens")
set(CPACK_NSIS_PACKAGE_NAME "SUPRA Lens")
set(CPACK_NSIS_INSTALLED_ICON_NAME "bin\\\\supralens.exe")
set(CPACK_NSIS_ENABLE_UNINSTALL_BEFORE_INSTALL ON)
set(CPACK_NSIS_MODIFY_PATH OFF)
set(CPACK_NSIS_EXTRA_INSTALL_COMMANDS "
  WriteRegStr SHCTX 'Software\\\\Classes\\\\.supralens' '' 'SupraLens.Workspace'
  WriteRegStr SHCTX 'Software\\\\Classes\\\\.gguf\\\\OpenWithProgids' 'SupraLens.Model' ''
  WriteRegStr SHCTX 'Software\\\\Classes\\\\SupraLens.Workspace' '' 'SUPRA Lens workspace'
  WriteRegStr SHCTX 'Software\\\\Classes\\\\SupraLens.Workspace\\\\shell\\\\open\\\\command' '' '\\\"$INSTDIR\\\\bin\\\\supralens.exe\\\" \\\"%1\\\"'
  WriteRegStr SHCTX 'Software\\\\Classes\\\\SupraLens.Model\\\\shell\\\\open\\\\command' '' '\\\"$INSTDIR\\\\bin\\\\supralens.exe\\\" \\\"%1\\\"'")
set(CPACK_NSIS_EXTRA_UNINSTALL_COMMANDS "
  DeleteRegKey SHCTX 'Software\\\\Classes\\\\.supralens'
  DeleteRegValue SHCTX 'Software\\\\Classes\\\\.gguf\\\\OpenWithProgids' 'SupraLens.Model'
  DeleteRegKey SHCTX 'Software\\\\Classes\\\\SupraLens.Workspace'
  DeleteRegKey SHCTX 'Software\\\\Classes\\\\SupraLens.Model'")

# macOS.
set(CPACK_DMG_VOLUME_NAME "SUPRA Lens")
set(CPACK_DMG_FORMAT UDZO)

if(WIN32)
  set(CPACK_GENERATOR NSIS)
elseif(APPLE)
  set(CPACK_GENERATOR DragNDrop)
else()
  set(CPACK_GENERATOR DEB TGZ)
endif()
include(CPack)
