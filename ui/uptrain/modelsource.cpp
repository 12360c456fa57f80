#include "uptrain/modelsource.h"

#include "bridge/format.h"
#include "engine/specification.h"
#include "models/convertdialog.h"
#include "widgets/elidedcombo.h"

#include <QButtonGroup>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRadioButton>
#include <QSignalBlocker>
#include <QStackedWidget>
#include <QVBoxLayout>

namespace lens {
namespace {

enum Kind { Convert, Scratch };
enum Decay { Usual, RetNet, NoDecay, OwnDecay };
enum Method { Supra, SupraPerHead, T2r, Linear, Hedgehog, Softmax };

QString fileStem(const QString &path)
{
    return QFileInfo(path).completeBaseName();
}

} // namespace

ModelSource::ModelSource(ModelLibrary &library, QWidget *parent)
    : QWidget(parent), m_library(library), m_kind(new QButtonGroup(this)), m_pages(new QStackedWidget),
      m_model(new ElidedCombo), m_method(new QComboBox), m_decay(new QComboBox),
      m_gammas(new QLineEdit), m_init(new QComboBox),
      m_layers(new QLineEdit), m_note(new QLabel), m_config(new QLineEdit), m_tokenizer(new QLineEdit)
{
    auto *convert = new QRadioButton(tr("Convert a softmax model and uptrain it"));
    auto *scratch = new QRadioButton(tr("Train from scratch"));
    m_kind->addButton(convert, Convert);
    m_kind->addButton(scratch, Scratch);
    convert->setChecked(true);
    auto *kinds = new QHBoxLayout;
    kinds->addWidget(convert);
    kinds->addSpacing(12);
    kinds->addWidget(scratch);
    kinds->addStretch();
    m_pages->addWidget(makeConversion());
    m_pages->addWidget(makeScratch());
    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addLayout(kinds);
    layout->addWidget(m_pages);
    connect(m_kind, &QButtonGroup::idToggled, this, [this](int id, bool on) {
        if (!on)
            return;
        m_pages->setCurrentIndex(id);
        Q_EMIT changed();
    });
    connect(m_model, &QComboBox::currentIndexChanged, this, [this](int index) {
        if (index >= 0)
            m_wanted = 0;
    });
    for (QComboBox *combo : {m_model, m_method, m_decay, m_init})
        connect(combo, &QComboBox::currentIndexChanged, this, &ModelSource::updateChoices);
    for (QLineEdit *line : {m_layers, m_gammas, m_config, m_tokenizer})
        connect(line, &QLineEdit::textChanged, this, &ModelSource::updateChoices);
    connect(&library, &ModelLibrary::added, this, &ModelSource::refreshModels);
    connect(&library, &ModelLibrary::removed, this, &ModelSource::refreshModels);
    connect(&library, &ModelLibrary::changed, this, &ModelSource::refreshModels);
    refreshModels();
}

QWidget *ModelSource::makeConversion()
{
    m_model->setAccessibleName(tr("Model to convert"));
    m_model->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_model->setMinimumContentsLength(20);
    m_model->setPlaceholderText(tr("choose a model"));
    m_method->addItems({tr("SUPRA"), tr("SUPRA, one feature map per head"), tr("T2R: keeps a normaliser"), tr("linear attention, 1 + ELU"),
                        tr("Hedgehog feature maps"), tr("none: softmax, as a control")});
    m_decay->addItems({tr("Lightning Attention"), tr("RetNet"), tr("none"), tr("own, per head")});
    m_init->addItems({tr("random, as the method prescribes"), tr("identity")});
    m_note->setWordWrap(true);
    m_note->setProperty("muted", true);
    auto *page = new QWidget;
    auto *form = new QFormLayout(page);
    form->setContentsMargins(0, 4, 0, 0);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->addRow(tr("Model"), m_model);
    form->addRow(tr("Method"), m_method);
    m_gammas->setAccessibleName(tr("Decay of each head"));
    auto *decay = new QHBoxLayout;
    decay->setContentsMargins(0, 0, 0, 0);
    decay->addWidget(m_decay);
    decay->addWidget(m_gammas, 1);
    form->addRow(tr("Decay"), decay);
    form->addRow(tr("Layers"), m_layers);
    form->addRow(tr("Feature maps begin"), m_init);
    form->addRow(m_note);
    return page;
}

QWidget *ModelSource::makeScratch()
{
    auto *page = new QWidget;
    auto *form = new QFormLayout(page);
    form->setContentsMargins(0, 4, 0, 0);
    m_config->setPlaceholderText(tr("a decoder configuration"));
    m_tokenizer->setPlaceholderText(tr("tokenizer.model or tokenizer.json"));
    form->addRow(tr("Configuration"), fileChoice(m_config, tr("Configuration"), tr("Configurations (*.json)")));
    form->addRow(tr("Tokenizer"),
                 fileChoice(m_tokenizer, tr("Tokenizer"), tr("Tokenizers (*.model *.json *.bin *.gguf);;All files (*)")));
    auto *note = new QLabel(tr("The weights begin at random; softmax and linear layers are as the configuration says. "
                               "There is no original to compare with."));
    note->setWordWrap(true);
    note->setProperty("muted", true);
    form->addRow(note);
    return page;
}

QWidget *ModelSource::fileChoice(QLineEdit *line, const QString &what, const QString &filter)
{
    line->setAccessibleName(what);
    auto *browse = new QPushButton(tr("Browse…"));
    browse->setAccessibleName(tr("Browse: %1").arg(what));
    auto *row = new QWidget;
    auto *layout = new QHBoxLayout(row);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(line, 1);
    layout->addWidget(browse);
    connect(browse, &QPushButton::clicked, this, [this, line, what, filter] {
        const QString file = QFileDialog::getOpenFileName(this, what, line->text(), filter);
        if (!file.isEmpty())
            line->setText(file);
    });
    return row;
}

void ModelSource::refreshModels()
{
    std::vector<std::pair<QString, quint64>> choices;
    for (const ModelEntry &entry : m_library.entries()) {
        const auto specification = parseSpecification(entry.specification.toStdString());
        if (!entry.info || entry.info->mixer != "softmax" || (specification && specification->conversion))
            continue;
        const QString size = entry.info->layerCount == 1 ? tr("1 layer") : tr("%1 layers").arg(entry.info->layerCount);
        choices.emplace_back(tr("%1  ·  %2, %3").arg(entry.name, formatCount(entry.info->parameters), size), entry.id);
    }
    // The library tells of every progress of loading: the list stays as it is unless it is another one.
    bool same = int(choices.size()) == m_model->count();
    for (int i = 0; same && i < m_model->count(); ++i)
        same = m_model->itemText(i) == choices[std::size_t(i)].first && m_model->itemData(i) == choices[std::size_t(i)].second;
    if (same) {
        if (m_wanted != 0)
            Q_EMIT changed(); // problem() may be another
        return;
    }
    const quint64 before = m_wanted != 0 ? m_wanted : m_model->currentData().toULongLong();
    {
        const QSignalBlocker block(m_model);
        m_model->clear();
        for (const auto &[label, id] : choices)
            m_model->addItem(label, id);
        const int index = m_model->findData(before);
        m_model->setCurrentIndex(m_wanted != 0 ? index : qMax(0, index));
        if (index >= 0)
            m_wanted = 0;
    }
    m_model->setEnabled(m_model->count() > 0);
    updateChoices();
}

void ModelSource::choose(quint64 entry)
{
    if (const int index = m_model->findData(entry); index >= 0) {
        m_kind->button(Convert)->setChecked(true);
        m_model->setCurrentIndex(index);
    }
}

void ModelSource::want(quint64 entry)
{
    m_kind->button(Convert)->setChecked(true);
    const int index = m_model->findData(entry);
    m_wanted = index < 0 ? entry : 0;
    m_model->setCurrentIndex(index);
}

bool ModelSource::isSupra() const
{
    return m_method->currentIndex() == Supra || m_method->currentIndex() == SupraPerHead;
}

const ModelEntry *ModelSource::chosen() const
{
    return m_library.entry(m_model->currentData().toULongLong());
}

bool ModelSource::isScratch() const
{
    return m_kind->checkedId() == Scratch;
}

std::int64_t ModelSource::trainedContext() const
{
    const ModelEntry *entry = isScratch() ? nullptr : chosen();
    return entry && entry->info ? entry->info->trainedContext : 0;
}

ConvertOptions ModelSource::conversion() const
{
    ConvertOptions options;
    const ModelEntry *entry = chosen();
    const int method = m_method->currentIndex();
    options.target = isSupra()       ? ConversionTarget::Supra
                     : method == T2r ? ConversionTarget::T2r
                                     : ConversionTarget::Linear;
    if (method == Hedgehog)
        options.featureMap = FeatureMapKind::Hedgehog;
    if (method == SupraPerHead)
        options.featureMap = FeatureMapKind::ReluPerHead;
    const int decay = isSupra() ? m_decay->currentIndex() : int(Usual);
    if (decay == OwnDecay)
        options.gammas = gammasFromText(m_gammas->text(), entry && entry->info ? entry->info->heads : 0)
                             .value_or(std::vector<double>());
    else if (decay != Usual)
        options.decay = DecayKind(decay);
    options.init = FeatureInit(m_init->currentIndex());
    const std::int64_t layers = entry && entry->info ? entry->info->layerCount : 0;
    options.layers = layersFromText(m_layers->text(), layers).value_or(std::vector<std::int64_t>());
    return options;
}

void ModelSource::fill(Recipe &recipe, std::uint64_t conversionSeed) const
{
    recipe.model.clear();
    recipe.scratch.clear();
    recipe.tokenizer.clear();
    if (isScratch()) {
        recipe.scratch = m_config->text().trimmed().toStdString();
        recipe.tokenizer = m_tokenizer->text().trimmed().toStdString();
        return;
    }
    const ModelEntry *entry = chosen();
    if (!entry)
        return;
    recipe.model = entry->specification.toStdString();
    if (m_method->currentIndex() == Softmax) {
        recipe.original = recipe.model;
        return;
    }
    ConvertOptions options = conversion();
    options.seed = conversionSeed;
    recipe.model += "@" + toString(options);
}

void ModelSource::setRecipe(const Recipe &recipe)
{
    m_kind->button(recipe.scratch.empty() ? Convert : Scratch)->setChecked(true);
    m_config->setText(QString::fromStdString(recipe.scratch));
    m_tokenizer->setText(QString::fromStdString(recipe.tokenizer));
    const auto specification = parseSpecification(recipe.model);
    if (recipe.model.empty() || !specification)
        return;
    QString model = QString::fromStdString(specification->model);
    if (specification->adapter)
        model += QStringLiteral("@adapter=") + QString::fromStdString(*specification->adapter);
    want(m_library.add(model));
    if (specification->conversion)
        showConversion(*specification->conversion);
    else
        m_method->setCurrentIndex(Softmax);
}

void ModelSource::showConversion(const ConvertOptions &options)
{
    m_method->setCurrentIndex(options.featureMap == FeatureMapKind::ReluPerHead ? SupraPerHead
                              : options.target == ConversionTarget::Supra       ? Supra
                              : options.target == ConversionTarget::T2r ? T2r
                              : options.featureMap == FeatureMapKind::Hedgehog ? Hedgehog
                                                                               : Linear);
    m_decay->setCurrentIndex(!options.gammas.empty() ? int(OwnDecay) : options.decay ? int(*options.decay) : 0);
    QStringList gammas;
    for (const double gamma : options.gammas)
        gammas.append(QString::number(gamma, 'g', 10));
    m_gammas->setText(gammas.join(QStringLiteral(", ")));
    m_init->setCurrentIndex(int(options.init));
    QStringList layers;
    for (const std::int64_t layer : options.layers)
        layers.append(QString::number(layer));
    m_layers->setText(layers.join(QStringLiteral(", ")));
}

QString ModelSource::problem() const
{
    if (isScratch()) {
        if (m_config->text().trimmed().isEmpty())
            return tr("Choose a configuration file.");
        return m_tokenizer->text().trimmed().isEmpty() ? tr("Choose a tokenizer.") : QString();
    }
    const ModelEntry *entry = chosen();
    if (m_wanted != 0) {
        const ModelEntry *wanted = m_library.entry(m_wanted);
        if (!wanted)
            return tr("The model of that run is not in the list any more: choose another.");
        return wanted->state == ModelEntry::State::Inspecting
                   ? tr("%1 is being looked into.").arg(wanted->name)
                   : tr("%1 is no softmax model that can be read: choose another.").arg(wanted->name);
    }
    if (!entry)
        return tr("There is no softmax model in the list: open one on the Models page.");
    if (!layersFromText(m_layers->text(), entry->info->layerCount))
        return tr("Layers are numbers below %1, as in 0, 2-3.").arg(entry->info->layerCount);
    if (m_decay->isEnabled() && m_decay->currentIndex() == OwnDecay &&
        std::int64_t(conversion().gammas.size()) != entry->info->heads)
        return tr("Decays are %1 numbers, one a head, above 0 and at most 1, as in 0.9, 0.99; or one for all.").arg(entry->info->heads);
    return {};
}

QString ModelSource::suggestedName() const
{
    if (isScratch()) {
        const QString stem = fileStem(m_config->text().trimmed());
        return stem.isEmpty() ? tr("model") : stem;
    }
    const ModelEntry *entry = chosen();
    const char *const methods[] = {"supra", "supra-per-head", "t2r", "linear", "hedgehog", "softmax"};
    return (entry ? entry->name : tr("model")) + QLatin1Char('-') + QLatin1String(methods[m_method->currentIndex()]);
}

void ModelSource::updateChoices()
{
    const int method = m_method->currentIndex();
    m_decay->setEnabled(isSupra());
    m_gammas->setVisible(isSupra() && m_decay->currentIndex() == OwnDecay);
    m_init->setEnabled(isSupra() || method == T2r || method == Hedgehog);
    m_layers->setEnabled(method != Softmax);
    const ModelEntry *entry = chosen();
    const std::int64_t layers = entry && entry->info ? entry->info->layerCount : 0;
    m_gammas->setPlaceholderText(entry && entry->info ? tr("%1 numbers, as in 0.9, 0.99; or one").arg(entry->info->heads)
                                                      : QString());
    m_layers->setPlaceholderText(layers > 1 ? tr("all; or some of 0-%1, as in 0, 2-3").arg(layers - 1) : tr("all"));
    QString note;
    if (method == Softmax)
        note = tr("Nothing is converted: the softmax model itself is trained on, as a control.");
    else if (method == SupraPerHead)
        note = tr("A variant of SUPRA with small feature maps, for adapters of a few megabytes. A converted model talks "
                  "nonsense until it is uptrained.");
    else if (method == T2r)
        note = tr("A converted model talks nonsense until it is uptrained. T2R divides by a normaliser that can vanish: "
                  "when its training diverges, the run says so and stops.");
    else if (m_init->isEnabled() && m_init->currentIndex() == int(FeatureInit::Identity))
        note = tr("A variant, for comparison: it keeps more of the original, but it too talks nonsense until it is "
                  "uptrained.");
    else
        note = tr("A converted model talks nonsense until it is uptrained.");
    m_note->setText(note);
    Q_EMIT changed();
}

} // namespace lens
