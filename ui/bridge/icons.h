// Icons from resources/icons: drawn with one colour ("currentColor"), which is filled in from the palette.
#pragma once

#include <QIcon>
#include <QPalette>
#include <QString>

namespace lens {

/// ":/icons/<name>.svg" in the text colour, in the accent colour when checked, faint when disabled. Sharp at any scale.
QIcon icon(const QString &name, const QPalette &palette);

} // namespace lens
