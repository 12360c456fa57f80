// How answers are generated: presets, sampling, length, seed, system prompt.
#pragma once

#include "bridge/generationsettings.h"

#include <QWidget>

class QComboBox;
class QDoubleSpinBox;
class QFormLayout;
class QLineEdit;
class QPlainTextEdit;
class QSpinBox;

namespace lens {

class IconButton;

class GenerationPanel : public QWidget {
    Q_OBJECT

public:
    explicit GenerationPanel(QWidget *parent = nullptr);

    void setSettings(const GenerationSettings &settings);
    const GenerationSettings &settings() const { return m_settings; }

    void setCustomPresets(const QList<GenerationPreset> &presets);
    const QList<GenerationPreset> &customPresets() const { return m_custom; }

Q_SIGNALS:
    void settingsChanged(const lens::GenerationSettings &settings);
    void customPresetsChanged();

private:
    QWidget *makePresetRow();
    void makeFields(QFormLayout *form);
    void fillPresets();
    void showPreset();
    void applyPreset(int index);
    void savePreset();
    void removePreset();
    void fieldsChanged();
    void fillFields();
    QList<GenerationPreset> presets() const;

    GenerationSettings m_settings;
    QList<GenerationPreset> m_custom;
    QComboBox *m_preset;
    IconButton *m_save;
    IconButton *m_remove;
    QDoubleSpinBox *m_temperature;
    QSpinBox *m_topK;
    QDoubleSpinBox *m_topP;
    QDoubleSpinBox *m_minP;
    QDoubleSpinBox *m_repetition;
    QSpinBox *m_maxTokens;
    QLineEdit *m_seed;
    QLineEdit *m_stop;
    QPlainTextEdit *m_system;
    bool m_filling = false;
};

} // namespace lens
