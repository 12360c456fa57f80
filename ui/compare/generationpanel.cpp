#include "compare/generationpanel.h"

#include "widgets/iconbutton.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QInputDialog>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QRegularExpressionValidator>
#include <QSpinBox>

namespace lens {
namespace {

QDoubleSpinBox *decimal(double low, double high, double step)
{
    auto *box = new QDoubleSpinBox;
    box->setRange(low, high);
    box->setSingleStep(step);
    box->setDecimals(2);
    box->setMinimumWidth(64);
    return box;
}

QSpinBox *whole(int low, int high)
{
    auto *box = new QSpinBox;
    box->setRange(low, high);
    box->setMinimumWidth(64);
    return box;
}

/// Stop strings in one line: separated by commas, line breaks written \n.
QString joinStops(const std::vector<std::string> &stops)
{
    QStringList list;
    for (const std::string &stop : stops)
        list.append(QString::fromStdString(stop).replace(QLatin1Char('\n'), QLatin1String("\\n")));
    return list.join(QStringLiteral(", "));
}

std::vector<std::string> splitStops(const QString &line)
{
    std::vector<std::string> stops;
    for (const QString &part : line.split(QLatin1Char(','), Qt::SkipEmptyParts)) {
        QString stop = part.startsWith(QLatin1Char(' ')) ? part.mid(1) : part;
        stop.replace(QLatin1String("\\n"), QLatin1String("\n"));
        if (!stop.isEmpty())
            stops.push_back(stop.toStdString());
    }
    return stops;
}

} // namespace

GenerationPanel::GenerationPanel(QWidget *parent)
    : QWidget(parent), m_preset(new QComboBox), m_save(new IconButton(QStringLiteral("plus"), tr("Save as a preset"))),
      m_remove(new IconButton(QStringLiteral("minus"), tr("Remove this preset"))), m_temperature(decimal(0, 5, 0.1)),
      m_topK(whole(0, 1000)), m_topP(decimal(0, 1, 0.05)), m_minP(decimal(0, 1, 0.01)),
      m_repetition(decimal(0.5, 2, 0.05)), m_maxTokens(whole(1, 1 << 20)), m_seed(new QLineEdit), m_stop(new QLineEdit),
      m_system(new QPlainTextEdit)
{
    auto *form = new QFormLayout(this);
    form->setContentsMargins(0, 0, 0, 0);
    form->setHorizontalSpacing(8);
    form->setVerticalSpacing(4);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->addRow(makePresetRow());
    makeFields(form);
    fillPresets();
    fillFields();
}

QWidget *GenerationPanel::makePresetRow()
{
    auto *row = new QWidget;
    auto *layout = new QHBoxLayout(row);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(2);
    m_preset->setAccessibleName(tr("Preset"));
    m_preset->setMinimumContentsLength(6);
    layout->addWidget(m_preset, 1);
    layout->addWidget(m_save);
    layout->addWidget(m_remove);
    connect(m_preset, &QComboBox::activated, this, &GenerationPanel::applyPreset);
    connect(m_save, &QToolButton::clicked, this, &GenerationPanel::savePreset);
    connect(m_remove, &QToolButton::clicked, this, &GenerationPanel::removePreset);
    return row;
}

void GenerationPanel::makeFields(QFormLayout *form)
{
    m_topK->setSpecialValueText(tr("off"));
    m_temperature->setToolTip(tr("0 always takes the most probable token"));
    m_topP->setToolTip(tr("Keep the most probable tokens that add up to this share; 1 is off"));
    m_minP->setToolTip(tr("Drop tokens less probable than this share of the best; 0 is off"));
    m_repetition->setToolTip(tr("Above 1 makes tokens of the last 64 less probable; 1 is off"));
    m_seed->setValidator(new QRegularExpressionValidator(QRegularExpression(QStringLiteral("[0-9]{0,19}")), m_seed));
    m_seed->setToolTip(tr("The same seed gives the same text. Every further attempt adds one"));
    m_stop->setPlaceholderText(tr("none"));
    m_stop->setToolTip(tr("Generation ends before any of these; separated by commas, \\n is a line break"));
    m_system->setPlaceholderText(tr("none"));
    m_system->setTabChangesFocus(true);
    m_system->setFixedHeight(3 * fontMetrics().lineSpacing() + 14);
    form->addRow(tr("Temperature"), m_temperature);
    form->addRow(tr("Top-k"), m_topK);
    form->addRow(tr("Top-p"), m_topP);
    form->addRow(tr("Min-p"), m_minP);
    form->addRow(tr("Repetition"), m_repetition);
    form->addRow(tr("Max tokens"), m_maxTokens);
    form->addRow(tr("Seed"), m_seed);
    form->addRow(tr("Stop at"), m_stop);
    auto *label = new QLabel(tr("System prompt"));
    label->setBuddy(m_system);
    form->addRow(label);
    form->addRow(m_system);
    for (QDoubleSpinBox *box : {m_temperature, m_topP, m_minP, m_repetition})
        connect(box, &QDoubleSpinBox::valueChanged, this, &GenerationPanel::fieldsChanged);
    for (QSpinBox *box : {m_topK, m_maxTokens})
        connect(box, &QSpinBox::valueChanged, this, &GenerationPanel::fieldsChanged);
    for (QLineEdit *line : {m_seed, m_stop})
        connect(line, &QLineEdit::textEdited, this, &GenerationPanel::fieldsChanged);
    connect(m_system, &QPlainTextEdit::textChanged, this, &GenerationPanel::fieldsChanged);
}

QList<GenerationPreset> GenerationPanel::presets() const
{
    return builtInPresets() + m_custom;
}

void GenerationPanel::setSettings(const GenerationSettings &settings)
{
    m_settings = settings;
    fillFields();
}

void GenerationPanel::setCustomPresets(const QList<GenerationPreset> &presets)
{
    m_custom = presets;
    fillPresets();
}

void GenerationPanel::fillPresets()
{
    m_preset->clear();
    for (const GenerationPreset &preset : presets())
        m_preset->addItem(preset.name);
    m_preset->addItem(tr("Custom"));
    showPreset();
}

void GenerationPanel::showPreset()
{
    const QList<GenerationPreset> all = presets();
    qsizetype shown = all.size();
    for (qsizetype i = 0; i < all.size(); ++i) {
        SamplingOptions sampling = all[i].sampling;
        sampling.seed = m_settings.options.sampling.seed;
        if (sampling == m_settings.options.sampling)
            shown = i;
    }
    m_preset->setCurrentIndex(int(shown));
    m_save->setEnabled(shown == all.size());
    m_remove->setEnabled(shown < all.size() && !all[shown].builtIn);
}

void GenerationPanel::applyPreset(int index)
{
    const QList<GenerationPreset> all = presets();
    if (index >= all.size()) {
        m_temperature->setFocus();
        return;
    }
    const quint64 seed = m_settings.options.sampling.seed;
    m_settings.options.sampling = all[index].sampling;
    m_settings.options.sampling.seed = seed;
    fillFields();
    Q_EMIT settingsChanged(m_settings);
}

void GenerationPanel::savePreset()
{
    const QString name = QInputDialog::getText(this, tr("Save preset"), tr("Name")).trimmed();
    if (name.isEmpty())
        return;
    m_custom.removeIf([&name](const GenerationPreset &preset) { return preset.name == name; });
    m_custom.append({name, false, m_settings.options.sampling});
    fillPresets();
    Q_EMIT customPresetsChanged();
}

void GenerationPanel::removePreset()
{
    const qsizetype index = m_preset->currentIndex() - builtInPresets().size();
    if (index < 0 || index >= m_custom.size())
        return;
    m_custom.removeAt(index);
    fillPresets();
    Q_EMIT customPresetsChanged();
}

void GenerationPanel::fillFields()
{
    m_filling = true;
    const SamplingOptions &sampling = m_settings.options.sampling;
    m_temperature->setValue(sampling.temperature);
    m_topK->setValue(sampling.topK);
    m_topP->setValue(sampling.topP);
    m_minP->setValue(sampling.minP);
    m_repetition->setValue(sampling.repetitionPenalty);
    m_maxTokens->setValue(int(m_settings.options.maxTokens));
    m_seed->setText(QString::number(sampling.seed));
    m_stop->setText(joinStops(m_settings.options.stopStrings));
    if (m_system->toPlainText() != m_settings.systemPrompt)
        m_system->setPlainText(m_settings.systemPrompt);
    m_filling = false;
    showPreset();
}

void GenerationPanel::fieldsChanged()
{
    if (m_filling)
        return;
    SamplingOptions &sampling = m_settings.options.sampling;
    sampling.temperature = m_temperature->value();
    sampling.topK = m_topK->value();
    sampling.topP = m_topP->value();
    sampling.minP = m_minP->value();
    sampling.repetitionPenalty = m_repetition->value();
    sampling.seed = m_seed->text().toULongLong();
    m_settings.options.maxTokens = m_maxTokens->value();
    m_settings.options.stopStrings = splitStops(m_stop->text());
    m_settings.systemPrompt = m_system->toPlainText();
    showPreset();
    Q_EMIT settingsChanged(m_settings);
}

} // namespace lens
