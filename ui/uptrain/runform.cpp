#include "uptrain/runform.h"

#include "base/folders.h"
#include "bridge/format.h"
#include "engine/specification.h"
#include "uptrain/datafiles.h"
#include "uptrain/lorafields.h"
#include "uptrain/preflightcard.h"
#include "uptrain/stagetable.h"
#include "widgets/errorbanner.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDir>
#include <QDoubleSpinBox>
#include <QFileDialog>
#include <QFormLayout>
#include <QGridLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRegularExpressionValidator>
#include <QScrollArea>
#include <QSpinBox>
#include <QVBoxLayout>

#include <algorithm>

namespace lens {
namespace {

constexpr int UsualLength = 256;
constexpr int PreflightWidth = 300;

QSpinBox *number(int least, int most, int value, const QString &name)
{
    auto *box = new QSpinBox;
    box->setRange(least, most);
    box->setValue(value);
    box->setGroupSeparatorShown(true);
    box->setAccessibleName(name);
    return box;
}

/// A heading and what belongs under it.
void addSection(QVBoxLayout *layout, const QString &title, QWidget *content)
{
    auto *heading = new QLabel(title);
    heading->setProperty("heading", true);
    layout->addWidget(heading);
    layout->addWidget(content);
    layout->addSpacing(8);
}

/// Two labelled fields a row.
void addPair(QGridLayout *grid, const QString &first, QWidget *firstField, const QString &second, QWidget *secondField)
{
    const int row = grid->rowCount();
    const std::pair<QString, QWidget *> fields[] = {{first, firstField}, {second, secondField}};
    for (int i = 0; i < 2; ++i) {
        if (!fields[i].second)
            continue;
        auto *label = new QLabel(fields[i].first);
        label->setBuddy(fields[i].second);
        grid->addWidget(label, row, 2 * i);
        grid->addWidget(fields[i].second, row, 2 * i + 1);
    }
}

QGridLayout *pairGrid(QWidget *owner)
{
    auto *grid = new QGridLayout(owner);
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setHorizontalSpacing(10);
    grid->setColumnStretch(1, 1);
    grid->setColumnStretch(3, 1);
    return grid;
}

} // namespace

RunForm::RunForm(ModelLibrary &library, TrainingController &controller, QWidget *parent)
    : QWidget(parent), m_source(new ModelSource(library)), m_stages(new StageTable), m_files(new DataFiles),
      m_preflight(new PreflightCard(controller)), m_error(new ErrorBanner),
      m_length(number(8, 1 << 20, UsualLength, tr("Sequence length in tokens"))),
      m_batch(number(1, 1 << 16, 8, tr("Sequences a step"))), m_microBatch(number(0, 1 << 16, 0, tr("Sequences in memory at once"))),
      m_dtype(new QComboBox),
      m_seed(new QLineEdit(QStringLiteral("0"))), m_clip(new QDoubleSpinBox), m_lora(new LoraFields),
      m_learnDecay(new QCheckBox(tr("train the decays"))), m_learnScale(new QCheckBox(tr("train a scale per channel"))),
      m_recompute(new QCheckBox(tr("save memory"))),
      m_evaluateEvery(number(0, 1 << 30, 25, tr("Steps between evaluations"))),
      m_sampleEvery(number(0, 1 << 30, 50, tr("Steps between samples"))),
      m_checkpointEvery(number(0, 1 << 30, 100, tr("Steps between checkpoints"))),
      m_prompt(new QLineEdit(QStringLiteral("Once upon a time"))), m_name(new QLineEdit), m_folder(new QLineEdit)
{
    auto *scroll = new QScrollArea;
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setWidget(makeForm());
    m_preflight->setFixedWidth(PreflightWidth);
    auto *columns = new QHBoxLayout;
    columns->addWidget(scroll, 1);
    columns->addWidget(m_preflight);
    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(18, 14, 18, 14);
    layout->setSpacing(10);
    layout->addWidget(m_error);
    layout->addLayout(columns, 1);
    connect(m_source, &ModelSource::changed, this, &RunForm::followModel);
    connect(m_stages, &StageTable::changed, this, &RunForm::refresh);
    connect(m_files, &DataFiles::changed, this, &RunForm::refresh);
    connect(m_lora, &LoraFields::changed, this, &RunForm::refresh);
    connect(m_clip, &QDoubleSpinBox::valueChanged, this, &RunForm::refresh);
    for (QSpinBox *box : {m_length, m_batch, m_microBatch, m_evaluateEvery, m_sampleEvery, m_checkpointEvery})
        connect(box, &QSpinBox::valueChanged, this, &RunForm::refresh);
    connect(m_length, &QSpinBox::editingFinished, this, [this] { m_lengthEdited = true; });
    connect(m_dtype, &QComboBox::currentIndexChanged, this, &RunForm::refresh);
    for (QCheckBox *box : {m_learnDecay, m_learnScale, m_recompute})
        connect(box, &QCheckBox::toggled, this, &RunForm::refresh);
    for (QLineEdit *line : {m_seed, m_prompt, m_folder})
        connect(line, &QLineEdit::textChanged, this, &RunForm::refresh);
    connect(m_name, &QLineEdit::textEdited, this, [this](const QString &name) {
        m_nameEdited = !name.isEmpty();
        suggestPlace();
    });
    connect(m_folder, &QLineEdit::textEdited, this, [this](const QString &folder) { m_folderEdited = !folder.isEmpty(); });
    connect(&controller, &TrainingController::stateChanged, this, &RunForm::suggestPlace);
    connect(m_preflight, &PreflightCard::startRequested, this, &RunForm::startRequested);
    followModel();
}

QWidget *RunForm::makeForm()
{
    auto *form = new QWidget;
    auto *layout = new QVBoxLayout(form);
    layout->setContentsMargins(0, 0, 12, 0);
    addSection(layout, tr("Model"), m_source);
    addSection(layout, tr("Objectives, one stage after the other"), m_stages);
    addSection(layout, tr("Texts"), m_files);
    addSection(layout, tr("Training"), makeSizes());
    addSection(layout, tr("Measurements"), makeMeasurements());
    addSection(layout, tr("Name and folder"), makePlace());
    layout->addStretch();
    return form;
}

QWidget *RunForm::makeSizes()
{
    m_dtype->addItem(tr("float32"), QStringLiteral("float32"));
    m_dtype->addItem(tr("bfloat16, float32 master weights"), QStringLiteral("bfloat16"));
    m_dtype->setAccessibleName(tr("Precision"));
    m_dtype->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_dtype->setMinimumContentsLength(8);
    m_seed->setValidator(new QRegularExpressionValidator(QRegularExpression(QStringLiteral("[0-9]{1,19}")), m_seed));
    m_seed->setAccessibleName(tr("Seed"));
    m_learnDecay->setToolTip(tr("A variant of SUPRA, whose decays are fixed"));
    m_learnScale->setToolTip(tr("A variant: a scale behind the GroupNorm, folded into the output projection"));
    m_recompute->setToolTip(tr("Activations of a layer are computed again for its backward pass: slower, less memory"));
    m_microBatch->setSpecialValueText(tr("all sequences of a step"));
    m_microBatch->setToolTip(tr("Fewer need less memory: the step's gradient is then summed up in turns"));
    m_clip->setRange(0, 1000);
    m_clip->setDecimals(2);
    m_clip->setSingleStep(0.5);
    m_clip->setValue(OptimiserOptions().clip);
    m_clip->setSpecialValueText(tr("not at all"));
    m_clip->setAccessibleName(tr("Largest gradient norm"));
    m_clip->setToolTip(tr("A step whose gradient is longer than this is shortened to it: that tames single wild steps"));
    m_length->setToolTip(tr("Tokens of a sequence; memory grows with it"));
    m_batch->setToolTip(tr("Sequences that one step learns from"));
    m_dtype->setToolTip(tr("bfloat16 is faster on processors with matrix units; weights are kept in float32 in either case"));
    m_seed->setToolTip(tr("Of the new weights and of the order of the texts: the same seed gives the same run"));
    auto *page = new QWidget;
    QGridLayout *grid = pairGrid(page);
    addPair(grid, tr("Sequence length"), m_length, tr("Sequences a step"), m_batch);
    addPair(grid, tr("Precision"), m_dtype, tr("Seed"), m_seed);
    addPair(grid, tr("In memory at once"), m_microBatch, tr("Clip gradient at"), m_clip);
    const int loraRow = grid->rowCount();
    grid->addWidget(new QLabel(tr("LoRA rank")), loraRow, 0);
    grid->addWidget(m_lora, loraRow, 1, 1, 3);
    auto *boxes = new QHBoxLayout;
    boxes->addWidget(m_learnDecay);
    boxes->addSpacing(12);
    boxes->addWidget(m_learnScale);
    boxes->addSpacing(12);
    boxes->addWidget(m_recompute);
    boxes->addStretch();
    grid->addLayout(boxes, grid->rowCount(), 0, 1, 4);
    return page;
}

QWidget *RunForm::makeMeasurements()
{
    for (QSpinBox *box : {m_evaluateEvery, m_sampleEvery, m_checkpointEvery})
        box->setSuffix(tr(" steps"));
    m_evaluateEvery->setSpecialValueText(tr("at the beginning and the end"));
    m_sampleEvery->setSpecialValueText(tr("never"));
    m_checkpointEvery->setSpecialValueText(tr("at the end"));
    m_prompt->setAccessibleName(tr("Prompt of the samples"));
    auto *page = new QWidget;
    QGridLayout *grid = pairGrid(page);
    addPair(grid, tr("Evaluate every"), m_evaluateEvery, tr("Checkpoint every"), m_checkpointEvery);
    addPair(grid, tr("Sample every"), m_sampleEvery, tr("from"), m_prompt);
    return page;
}

QWidget *RunForm::makePlace()
{
    m_name->setAccessibleName(tr("Name of the run"));
    m_folder->setAccessibleName(tr("Folder of the run"));
    auto *browse = new QPushButton(tr("Browse…"));
    browse->setAccessibleName(tr("Browse: folder of the run"));
    auto *row = new QHBoxLayout;
    row->setContentsMargins(0, 0, 0, 0);
    row->addWidget(m_folder, 1);
    row->addWidget(browse);
    auto *page = new QWidget;
    auto *form = new QFormLayout(page);
    form->setContentsMargins(0, 0, 0, 0);
    form->addRow(tr("Name"), m_name);
    form->addRow(tr("Folder"), row);
    connect(browse, &QPushButton::clicked, this, [this] {
        const QString folder = QFileDialog::getExistingDirectory(this, tr("Folder of the run"), m_folder->text());
        if (folder.isEmpty())
            return;
        m_folderEdited = true;
        m_folder->setText(folder);
    });
    return page;
}

Recipe RunForm::recipe() const
{
    Recipe recipe = m_base;
    recipe.original.clear();
    recipe.data.files.clear();
    recipe.seed = m_seed->text().toULongLong();
    m_source->fill(recipe, conversionSeed());
    if (recipe.original.empty() && recipe.model == m_base.model)
        recipe.original = m_base.original;
    for (const QString &file : m_files->files())
        recipe.data.files.push_back(file.toStdString());
    recipe.stages = m_stages->stages();
    recipe.sequenceLength = m_length->value();
    recipe.batch = m_batch->value();
    recipe.microBatch = m_microBatch->value();
    recipe.dtype = m_dtype->currentData().toString().toStdString();
    recipe.optimiser.clip = m_clip->value();
    recipe.lora = m_lora->options();
    recipe.learnDecay = m_learnDecay->isChecked();
    recipe.learnScale = m_learnScale->isChecked();
    recipe.recompute = m_recompute->isChecked();
    recipe.evaluateEvery = m_evaluateEvery->value();
    recipe.checkpointEvery = m_checkpointEvery->value();
    recipe.sampleEvery = m_sampleEvery->value();
    recipe.samplePrompt = m_prompt->text().toStdString();
    recipe.out = m_folder->text().trimmed().toStdString();
    return recipe;
}

/// Of another run's recipe it may be another than the run's own, as long as that is not changed.
std::uint64_t RunForm::conversionSeed() const
{
    const std::uint64_t seed = m_seed->text().toULongLong();
    const auto other = parseSpecification(m_base.model);
    return other && other->conversion && seed == m_base.seed ? other->conversion->seed : seed;
}

void RunForm::forgetOther()
{
    m_base = {};
    refresh();
}

void RunForm::setRecipe(const Recipe &recipe)
{
    m_base = recipe;
    m_source->setRecipe(recipe);
    m_stages->setStages(recipe.stages);
    QStringList files;
    for (const std::string &file : recipe.data.files)
        files.append(QString::fromStdString(file));
    m_files->setFiles(files);
    m_lengthEdited = true;
    m_length->setValue(int(recipe.sequenceLength));
    m_batch->setValue(int(recipe.batch));
    m_microBatch->setValue(int(recipe.microBatch));
    m_dtype->setCurrentIndex(std::max(0, m_dtype->findData(QString::fromStdString(recipe.dtype))));
    m_seed->setText(QString::number(recipe.seed));
    m_clip->setValue(recipe.optimiser.clip);
    m_lora->setOptions(recipe.lora);
    m_learnDecay->setChecked(recipe.learnDecay);
    m_learnScale->setChecked(recipe.learnScale);
    m_recompute->setChecked(recipe.recompute);
    m_evaluateEvery->setValue(int(recipe.evaluateEvery));
    m_checkpointEvery->setValue(int(recipe.checkpointEvery));
    m_sampleEvery->setValue(int(recipe.sampleEvery));
    m_prompt->setText(QString::fromStdString(recipe.samplePrompt));
    m_nameEdited = m_folderEdited = false;
    followModel();
}

QString RunForm::runName() const
{
    return m_name->text().trimmed().isEmpty() ? m_source->suggestedName() : m_name->text().trimmed();
}

void RunForm::addFiles(const QStringList &files)
{
    m_files->addFiles(files);
}

void RunForm::showError(const Error &error)
{
    m_error->showError(error);
}

void RunForm::followModel()
{
    const std::int64_t context = m_source->trainedContext();
    if (!m_lengthEdited && context > 0)
        m_length->setValue(int(std::min<std::int64_t>(UsualLength, context)));
    suggestPlace();
}

/// A name after model and method, and a folder of that name that is not there yet.
void RunForm::suggestPlace()
{
    const QDir runs(QString::fromStdString((userDataFolder() / "runs").string()));
    QString name = m_nameEdited ? runName() : m_source->suggestedName();
    name.replace(QRegularExpression(QStringLiteral("[^\\w.-]+")), QStringLiteral("-"));
    QString folder = runs.filePath(name);
    for (int i = 2; QDir(folder).exists(); ++i)
        folder = runs.filePath(QStringLiteral("%1-%2").arg(name).arg(i));
    if (!m_nameEdited)
        m_name->setText(QDir(folder).dirName());
    if (!m_folderEdited)
        m_folder->setText(folder);
    refresh();
}

QString RunForm::problem(const Recipe &recipe) const
{
    if (const QString source = m_source->problem(); !source.isEmpty())
        return source;
    if (recipe.data.files.empty())
        return tr("Add at least one text to train on.");
    if (recipe.out.empty())
        return tr("Choose a folder for the run.");
    if (m_stages->hasAdapter() && recipe.lora.targets.empty())
        return tr("Choose at least one projection for LoRA.");
    if (const auto valid = validate(recipe); !valid) {
        const Error &error = valid.error();
        return text(error.advice.empty() ? error.what : error.what + ": " + error.advice);
    }
    return {};
}

void RunForm::refresh()
{
    m_lora->setEnabled(m_stages->hasAdapter());
    const Recipe present = recipe();
    m_preflight->setRecipe(present, problem(present));
}

} // namespace lens
