#include "uptrain/lorafields.h"

#include <QCheckBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSpinBox>

#include <algorithm>

namespace lens {
namespace {

/// As a recipe names them.
constexpr std::array<const char *, 7> Targets{"q", "k", "v", "out", "gate", "up", "down"};

} // namespace

LoraFields::LoraFields(QWidget *parent) : QWidget(parent), m_rank(new QSpinBox)
{
    const QString meanings[] = {tr("queries"), tr("keys"), tr("values"), tr("the output of attention"),
                                tr("the gate of the feed-forward part"), tr("the feed-forward part, upwards"),
                                tr("the feed-forward part, downwards")};
    m_rank->setRange(1, 1024);
    m_rank->setAccessibleName(tr("LoRA rank"));
    m_rank->setToolTip(tr("The rank of the change to each projection: higher ones learn more and need a larger file"));
    auto *row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->addWidget(m_rank);
    row->addSpacing(8);
    row->addWidget(new QLabel(tr("on")));
    for (std::size_t i = 0; i < Targets.size(); ++i) {
        m_targets[i] = new QCheckBox(QString::fromLatin1(Targets[i]));
        m_targets[i]->setAccessibleName(tr("LoRA on %1").arg(meanings[i]));
        m_targets[i]->setToolTip(tr("A change to the projection of %1").arg(meanings[i]));
        row->addWidget(m_targets[i]);
        connect(m_targets[i], &QCheckBox::toggled, this, &LoraFields::changed);
    }
    row->addStretch();
    connect(m_rank, &QSpinBox::valueChanged, this, &LoraFields::changed);
    setOptions({});
}

LoraOptions LoraFields::options() const
{
    LoraOptions options;
    options.rank = m_rank->value();
    options.alpha = m_alphaShare * m_rank->value();
    options.targets.clear();
    for (std::size_t i = 0; i < Targets.size(); ++i) {
        if (m_targets[i]->isChecked())
            options.targets.emplace_back(Targets[i]);
    }
    return options;
}

void LoraFields::setOptions(const LoraOptions &options)
{
    m_alphaShare = options.alpha / double(std::max<std::int64_t>(1, options.rank));
    m_rank->setValue(int(options.rank));
    for (std::size_t i = 0; i < Targets.size(); ++i)
        m_targets[i]->setChecked(std::find(options.targets.begin(), options.targets.end(), Targets[i]) !=
                                 options.targets.end());
}

} // namespace lens
