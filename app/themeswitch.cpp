#include "themeswitch.h"

#include "appsettings.h"

#include <QApplication>
#include <QStyleFactory>

namespace lens {

ThemeSwitch::ThemeSwitch(AppSettings &settings) : m_system(QApplication::palette())
{
    QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
    connect(&settings, &AppSettings::themeChanged, this, &ThemeSwitch::apply);
    apply(settings.theme());
}

void ThemeSwitch::apply(ThemeChoice choice)
{
    const bool dark = choice == ThemeChoice::Dark || (choice == ThemeChoice::System && isDark(m_system));
    const QPalette palette = dark ? darkPalette() : lightPalette();
    QApplication::setPalette(palette);
    qApp->setStyleSheet(styleSheet(palette));
}

} // namespace lens
