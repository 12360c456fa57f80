// What the application remembers between runs: typed, with one table of defaults. Made in main and handed down.
#pragma once

#include "bridge/generationsettings.h"
#include "bridge/theme.h"

#include <QByteArray>
#include <QObject>
#include <QSettings>
#include <QStringList>

namespace lens {

class AppSettings : public QObject {
    Q_OBJECT

public:
    /// With a file name: kept there; else where the platform keeps settings.
    explicit AppSettings(const QString &fileName = {}, QObject *parent = nullptr);

    ThemeChoice theme() const;
    void setTheme(ThemeChoice theme);

    QStringList recentModels() const;
    void setRecentModels(const QStringList &specifications);

    /// Specifications of the models the columns showed, left to right; empty where none was chosen.
    QStringList columnModels() const;
    void setColumnModels(const QStringList &specifications);

    GenerationSettings generation() const;
    void setGeneration(const GenerationSettings &settings);

    QList<GenerationPreset> presets() const;
    void setPresets(const QList<GenerationPreset> &presets);

    int shading() const;
    void setShading(int shading);

    /// Whether attention is measured after every answer.
    bool autoMeasure() const;
    void setAutoMeasure(bool automatic);

    QByteArray geometry() const;
    QByteArray layout() const;
    void setWindow(const QByteArray &geometry, const QByteArray &layout);

Q_SIGNALS:
    void themeChanged(lens::ThemeChoice theme);

private:
    QVariant value(const char *key) const;
    void setValue(const char *key, const QVariant &value);

    std::unique_ptr<QSettings> m_settings;
};

} // namespace lens
