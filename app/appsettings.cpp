#include "appsettings.h"

#include <QJsonArray>
#include <QJsonDocument>

#include <iterator>

namespace lens {
namespace {

struct Default {
    const char *key;
    QVariant value;
};

const Default *defaults()
{
    static const Default table[] = {
        {"theme", QStringLiteral("system")},
        {"models/recent", QStringList()},
        {"compare/models", QStringList()},
        {"compare/shading", 1},
        {"attention/automatic", false},
        {"generation/settings", QString()},
        {"generation/presets", QString()},
        {"window/geometry", QByteArray()},
        {"window/layout", QByteArray()},
        {nullptr, {}},
    };
    return table;
}

QString compact(const QJsonDocument &document)
{
    return QString::fromUtf8(document.toJson(QJsonDocument::Compact));
}

} // namespace

AppSettings::AppSettings(const QString &fileName, QObject *parent)
    : QObject(parent), m_settings(fileName.isEmpty() ? std::make_unique<QSettings>()
                                                     : std::make_unique<QSettings>(fileName, QSettings::IniFormat))
{
}

QVariant AppSettings::value(const char *key) const
{
    const Default *entry = defaults();
    while (entry->key && qstrcmp(entry->key, key) != 0)
        ++entry;
    Q_ASSERT(entry->key);
    return m_settings->value(QLatin1String(key), entry->value);
}

void AppSettings::setValue(const char *key, const QVariant &value)
{
    m_settings->setValue(QLatin1String(key), value);
}

ThemeChoice AppSettings::theme() const
{
    return themeChoice(value("theme").toString());
}

void AppSettings::setTheme(ThemeChoice theme)
{
    if (theme == this->theme())
        return;
    setValue("theme", toString(theme));
    Q_EMIT themeChanged(theme);
}

QStringList AppSettings::recentModels() const
{
    return value("models/recent").toStringList();
}

void AppSettings::setRecentModels(const QStringList &specifications)
{
    setValue("models/recent", specifications);
}

QStringList AppSettings::columnModels() const
{
    return value("compare/models").toStringList();
}

void AppSettings::setColumnModels(const QStringList &specifications)
{
    setValue("compare/models", specifications);
}

GenerationSettings AppSettings::generation() const
{
    return generationSettings(QJsonDocument::fromJson(value("generation/settings").toString().toUtf8()).object());
}

void AppSettings::setGeneration(const GenerationSettings &settings)
{
    setValue("generation/settings", compact(QJsonDocument(toJson(settings))));
}

QList<GenerationPreset> AppSettings::presets() const
{
    QList<GenerationPreset> presets;
    for (const QJsonValue &item : QJsonDocument::fromJson(value("generation/presets").toString().toUtf8()).array()) {
        const QJsonObject preset = item.toObject();
        presets.append({preset[QLatin1String("name")].toString(), false,
                        samplingOptions(preset[QLatin1String("sampling")].toObject())});
    }
    return presets;
}

void AppSettings::setPresets(const QList<GenerationPreset> &presets)
{
    QJsonArray array;
    for (const GenerationPreset &preset : presets) {
        array.append(
            QJsonObject{{QStringLiteral("name"), preset.name}, {QStringLiteral("sampling"), toJson(preset.sampling)}});
    }
    setValue("generation/presets", compact(QJsonDocument(array)));
}

int AppSettings::shading() const
{
    return value("compare/shading").toInt();
}

void AppSettings::setShading(int shading)
{
    setValue("compare/shading", shading);
}

bool AppSettings::autoMeasure() const
{
    return value("attention/automatic").toBool();
}

void AppSettings::setAutoMeasure(bool automatic)
{
    setValue("attention/automatic", automatic);
}

QByteArray AppSettings::geometry() const
{
    return value("window/geometry").toByteArray();
}

QByteArray AppSettings::layout() const
{
    return value("window/layout").toByteArray();
}

void AppSettings::setWindow(const QByteArray &geometry, const QByteArray &layout)
{
    setValue("window/geometry", geometry);
    setValue("window/layout", layout);
}

} // namespace lens
