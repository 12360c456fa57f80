// Applies light, dark or the system's theme to the whole application, while it runs.
#pragma once

#include "bridge/theme.h"

#include <QObject>
#include <QPalette>

namespace lens {

class AppSettings;

class ThemeSwitch : public QObject {
    Q_OBJECT

public:
    /// `settings` must outlive it. To be made before any widget.
    explicit ThemeSwitch(AppSettings &settings);

private:
    void apply(ThemeChoice choice);

    QPalette m_system;
};

} // namespace lens
