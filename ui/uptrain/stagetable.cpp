#include "uptrain/stagetable.h"

#include "widgets/iconbutton.h"

#include <QComboBox>
#include <QCoreApplication>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QRegularExpressionValidator>
#include <QSpinBox>
#include <QTableWidget>
#include <QVBoxLayout>

#include <algorithm>

namespace lens {
namespace {

enum Column { ObjectiveColumn, TrainableColumn, StepsColumn, RateColumn, FinalColumn, ColumnCount };

constexpr int MostSteps = 100000000;
constexpr std::int64_t WarmupShare = 20;    ///< one step of so many
constexpr double FinalShare = 1.0 / 30;     ///< of the peak, where the cosine ends (1e-5 of 3e-4 in the paper)
constexpr const char *Context = "StageTable";

QString translated(const char *source)
{
    return QCoreApplication::translate(Context, source);
}

TrainingStage stage(Objective objective, Trainable trainable, std::int64_t steps, double rate)
{
    TrainingStage stage;
    stage.objective = objective;
    stage.trainable = trainable;
    stage.steps = steps;
    stage.learningRate = rate;
    stage.finalLearningRate = rate * FinalShare;
    stage.warmup = steps / WarmupShare;
    return stage;
}

QSpinBox *stepBox(int least, std::int64_t value, const QString &name, const QString &tip)
{
    auto *box = new QSpinBox;
    box->setRange(least, MostSteps);
    box->setGroupSeparatorShown(true);
    box->setButtonSymbols(QAbstractSpinBox::NoButtons);
    box->setValue(int(std::min<std::int64_t>(value, MostSteps)));
    box->setAccessibleName(name);
    box->setToolTip(tip);
    return box;
}

QString numberText(double value)
{
    return QString::number(value, 'g', 4);
}

QLineEdit *numberLine(double value, const QString &name, const QString &tip)
{
    static const QRegularExpression number(QStringLiteral("[0-9]*\\.?[0-9]+(?:[eE]-?[0-9]{1,2})?"));
    auto *line = new QLineEdit(numberText(value));
    line->setValidator(new QRegularExpressionValidator(number, line));
    line->setAccessibleName(name);
    line->setToolTip(tip);
    return line;
}

/// What is written, with all its digits where that is still `shown`.
double numberIn(const QLineEdit *line, double shown)
{
    return line->text() == numberText(shown) ? shown : line->text().toDouble();
}

} // namespace

const std::vector<StagePreset> &stagePresets()
{
    static const std::vector<StagePreset> presets{
        {translated("SUPRA (paper): cross-entropy on all weights"),
         {stage(Objective::CrossEntropy, Trainable::All, 400, 3e-4)}},
        {translated("Transfer, then LoRA adapter"),
         {stage(Objective::AttentionTransfer, Trainable::FeatureMaps, 200, 1e-3),
          stage(Objective::CrossEntropy, Trainable::Adapter, 400, 5e-4)}},
        {translated("Transfer, then all weights"),
         {stage(Objective::AttentionTransfer, Trainable::FeatureMaps, 200, 1e-3),
          stage(Objective::CrossEntropy, Trainable::All, 400, 3e-4)}},
        {translated("Distillation from the original"),
         {stage(Objective::Distillation, Trainable::All, 400, 3e-4)}}};
    return presets;
}

StageTable::StageTable(QWidget *parent) : QWidget(parent), m_preset(new QComboBox), m_table(new QTableWidget(0, ColumnCount))
{
    for (const StagePreset &preset : stagePresets())
        m_preset->addItem(preset.name);
    m_preset->addItem(tr("Own stages"));
    m_preset->setAccessibleName(tr("Objectives"));
    m_preset->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_preset->setMinimumContentsLength(24);
    auto *add = new IconButton(QStringLiteral("plus"), tr("Add a stage"));
    auto *remove = new IconButton(QStringLiteral("minus"), tr("Remove the chosen stage"));
    m_remove = remove;
    m_table->setHorizontalHeaderLabels({tr("Objective"), tr("Trained"), tr("Steps"), tr("Learning rate"), tr("down to")});
    m_table->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    for (const int column : {StepsColumn, RateColumn, FinalColumn}) {
        m_table->horizontalHeader()->setSectionResizeMode(column, QHeaderView::Fixed);
        m_table->setColumnWidth(column, column == RateColumn ? 88 : 72);
    }
    m_table->horizontalHeader()->setHighlightSections(false);
    m_table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    m_table->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 14);
    m_table->setSelectionMode(QAbstractItemView::NoSelection);
    m_table->setTabKeyNavigation(false);
    m_table->setFocusPolicy(Qt::NoFocus);
    m_table->setShowGrid(false);
    m_table->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_table->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_table->setAccessibleName(tr("Stages"));
    auto *bar = new QHBoxLayout;
    bar->addWidget(m_preset, 1);
    bar->addWidget(add);
    bar->addWidget(remove);
    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addLayout(bar);
    layout->addWidget(m_table);
    connect(m_preset, &QComboBox::activated, this, [this](int index) {
        if (index < int(stagePresets().size()))
            setStages(stagePresets()[std::size_t(index)].stages);
    });
    connect(add, &QToolButton::clicked, this, [this] {
        addRow(stage(Objective::CrossEntropy, Trainable::All, 200, 3e-4));
        announce();
        m_rows.back().objective->setFocus();
    });
    connect(remove, &QToolButton::clicked, this, &StageTable::removeRow);
    setStages(stagePresets().front().stages);
}

std::vector<QWidget *> StageTable::Fields::all() const
{
    return {objective, trainable, steps, rate, finalRate, warmup, cooldown, weight, temperature};
}

void StageTable::setStages(const std::vector<TrainingStage> &stages)
{
    m_filling = true;
    m_table->setRowCount(0);
    m_rows.clear();
    for (const TrainingStage &one : stages)
        addRow(one);
    m_filling = false;
    announce();
}

StageTable::Fields StageTable::makeFields(const TrainingStage &stage, int row) const
{
    Fields fields{};
    fields.shown = stage;
    fields.objective = new QComboBox;
    fields.objective->addItems({tr("cross-entropy"), tr("distillation"), tr("attention transfer")});
    fields.objective->setCurrentIndex(int(stage.objective));
    fields.objective->setAccessibleName(tr("Objective of stage %1").arg(row));
    fields.objective->setToolTip(tr("Cross-entropy: the next token of the texts. Distillation: the original's probabilities. "
                                    "Attention transfer: each layer's output, as the original's layer has it."));
    fields.trainable = new QComboBox;
    fields.trainable->addItems({tr("all weights"), tr("feature maps"), tr("feature maps and LoRA")});
    fields.trainable->setCurrentIndex(int(stage.trainable));
    fields.trainable->setAccessibleName(tr("What stage %1 trains").arg(row));
    fields.trainable->setToolTip(tr("Without a stage that trains all weights the result is an adapter of some megabytes"));
    fields.steps = stepBox(1, stage.steps, tr("Steps of stage %1").arg(row), tr("Updates of the weights"));
    fields.rate = numberLine(stage.learningRate, tr("Learning rate of stage %1").arg(row), tr("The highest, after warm-up"));
    fields.finalRate = numberLine(stage.finalLearningRate, tr("Final learning rate of stage %1").arg(row),
                                  tr("Where the cosine ends, before cool-down"));
    fields.warmup = stepBox(0, stage.warmup, tr("Warm-up steps of stage %1").arg(row),
                            tr("First steps, in which the learning rate rises from zero"));
    fields.cooldown = stepBox(0, stage.cooldown, tr("Cool-down steps of stage %1").arg(row),
                              tr("Last steps, in which the learning rate falls to zero"));
    fields.weight = numberLine(stage.distillationWeight, tr("Share of distillation in the loss of stage %1").arg(row),
                               tr("From 0 to 1; the rest of the loss is cross-entropy"));
    fields.temperature = numberLine(stage.temperature, tr("Temperature of distillation in stage %1").arg(row),
                                    tr("Divides the logits of both models; above 1, unlikely tokens count more"));
    return fields;
}

/// The second line of a stage.
QWidget *StageTable::makeSchedule(const Fields &fields) const
{
    auto *line = new QWidget;
    auto *row = new QHBoxLayout(line);
    row->setContentsMargins(8, 0, 0, 4);
    const auto add = [](QHBoxLayout *layout, const QString &text, QWidget *field, int width) {
        auto *label = new QLabel(text);
        label->setProperty("muted", true);
        label->setBuddy(field);
        field->setFixedWidth(width);
        layout->addWidget(label);
        layout->addWidget(field);
        layout->addSpacing(8);
    };
    add(row, tr("Warm-up"), fields.warmup, 64);
    add(row, tr("Cool-down"), fields.cooldown, 64);
    auto *distilling = new QHBoxLayout(fields.distilling);
    distilling->setContentsMargins(0, 0, 0, 0);
    add(distilling, tr("KL share"), fields.weight, 48);
    add(distilling, tr("Temperature"), fields.temperature, 48);
    row->addWidget(fields.distilling);
    row->addStretch();
    return line;
}

void StageTable::addRow(const TrainingStage &stage)
{
    const int number = int(m_rows.size()) + 1, row = m_table->rowCount();
    Fields fields = makeFields(stage, number);
    fields.distilling = new QWidget;
    m_table->setRowCount(row + 2);
    m_table->setVerticalHeaderItem(row, new QTableWidgetItem(QString::number(number)));
    m_table->setVerticalHeaderItem(row + 1, new QTableWidgetItem);
    m_table->setCellWidget(row, ObjectiveColumn, fields.objective);
    m_table->setCellWidget(row, TrainableColumn, fields.trainable);
    m_table->setCellWidget(row, StepsColumn, fields.steps);
    m_table->setCellWidget(row, RateColumn, fields.rate);
    m_table->setCellWidget(row, FinalColumn, fields.finalRate);
    m_table->setSpan(row + 1, 0, 1, ColumnCount);
    m_table->setCellWidget(row + 1, 0, makeSchedule(fields));
    m_rows.push_back(fields);
    for (QWidget *field : fields.all()) {
        if (auto *combo = qobject_cast<QComboBox *>(field))
            connect(combo, &QComboBox::currentIndexChanged, this, &StageTable::announce);
        else if (auto *box = qobject_cast<QSpinBox *>(field))
            connect(box, &QSpinBox::valueChanged, this, &StageTable::announce);
        else if (auto *line = qobject_cast<QLineEdit *>(field))
            connect(line, &QLineEdit::textChanged, this, &StageTable::announce);
    }
}

/// The one with the focus, else the last.
void StageTable::removeRow()
{
    std::vector<TrainingStage> kept = stages();
    std::size_t removed = kept.size() - 1;
    for (std::size_t i = 0; i < m_rows.size(); ++i) {
        for (const QWidget *field : m_rows[i].all()) {
            if (field->hasFocus())
                removed = i;
        }
    }
    kept.erase(kept.begin() + std::ptrdiff_t(removed));
    setStages(kept);
}

/// Takes what is written. Warm-up and final learning rate follow steps and learning rate as long as they are the usual
/// share of them.
void StageTable::follow(Fields &fields)
{
    TrainingStage &shown = fields.shown;
    TrainingStage now = shown;
    now.objective = Objective(fields.objective->currentIndex());
    now.trainable = Trainable(fields.trainable->currentIndex());
    now.steps = fields.steps->value();
    now.learningRate = numberIn(fields.rate, shown.learningRate);
    now.finalLearningRate = numberIn(fields.finalRate, shown.finalLearningRate);
    now.warmup = fields.warmup->value();
    now.cooldown = fields.cooldown->value();
    now.distillationWeight = numberIn(fields.weight, shown.distillationWeight);
    now.temperature = numberIn(fields.temperature, shown.temperature);
    if (now.steps != shown.steps && now.warmup == shown.steps / WarmupShare)
        now.warmup = now.steps / WarmupShare;
    if (now.learningRate != shown.learningRate && numberText(now.finalLearningRate) == numberText(shown.learningRate * FinalShare))
        now.finalLearningRate = now.learningRate * FinalShare;
    if (now.objective == Objective::AttentionTransfer)
        now.trainable = Trainable::FeatureMaps;
    shown = now;
    fields.trainable->setCurrentIndex(int(now.trainable));
    fields.trainable->setEnabled(now.objective != Objective::AttentionTransfer);
    fields.warmup->setValue(int(std::min<std::int64_t>(now.warmup, MostSteps)));
    if (numberIn(fields.finalRate, now.finalLearningRate) != now.finalLearningRate)
        fields.finalRate->setText(numberText(now.finalLearningRate));
    fields.distilling->setVisible(now.objective == Objective::Distillation);
}

std::vector<TrainingStage> StageTable::stages() const
{
    std::vector<TrainingStage> stages;
    for (const Fields &fields : m_rows)
        stages.push_back(fields.shown);
    return stages;
}

bool StageTable::hasAdapter() const
{
    return std::any_of(m_rows.begin(), m_rows.end(),
                       [](const Fields &fields) { return fields.shown.trainable == Trainable::Adapter; });
}

void StageTable::fitHeight()
{
    int height = m_table->horizontalHeader()->sizeHint().height() + 2 * m_table->frameWidth();
    height += m_table->rowCount() * m_table->verticalHeader()->defaultSectionSize();
    m_table->setFixedHeight(height);
}

void StageTable::announce()
{
    if (m_filling)
        return;
    m_filling = true;
    for (Fields &fields : m_rows)
        follow(fields);
    m_filling = false;
    fitHeight();
    m_remove->setEnabled(m_rows.size() > 1);
    const auto present = stages();
    int known = int(stagePresets().size());
    for (int i = 0; i < int(stagePresets().size()); ++i) {
        if (stagePresets()[std::size_t(i)].stages == present)
            known = i;
    }
    m_preset->setCurrentIndex(known);
    Q_EMIT changed();
}

} // namespace lens
