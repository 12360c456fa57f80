#include "models/convertdialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRegularExpressionValidator>

namespace lens {

ConvertDialog::ConvertDialog(const QString &modelName, QWidget *parent)
    : QDialog(parent), m_target(new QComboBox), m_decay(new QComboBox), m_featureMap(new QComboBox),
      m_init(new QComboBox), m_seed(new QLineEdit(QStringLiteral("0")))
{
    setWindowTitle(tr("Convert %1").arg(modelName));
    m_target->addItems({tr("SUPRA"), tr("T2R"), tr("plain linear attention")});
    m_decay->addItems({tr("per head, as in Lightning Attention"), tr("per head, as in RetNet"), tr("none")});
    m_featureMap->addItems({tr("the method's own"), tr("ReLU"), tr("1 + ELU"), tr("Hedgehog")});
    m_init->addItems({tr("random, as the method prescribes"), tr("identity: keeps more of the original")});
    m_seed->setValidator(new QRegularExpressionValidator(QRegularExpression(QStringLiteral("[0-9]{1,19}")), m_seed));
    auto *form = new QFormLayout(this);
    auto *note =
        new QLabel(tr("The weights are converted in memory and nothing is trained: the result talks nonsense until "
                      "it is uptrained. It opens beside the original."));
    note->setWordWrap(true);
    note->setProperty("muted", true);
    note->setMinimumWidth(360);
    auto *buttons = new QDialogButtonBox(QDialogButtonBox::Ok | QDialogButtonBox::Cancel);
    buttons->button(QDialogButtonBox::Ok)->setText(tr("Convert"));
    form->addRow(note);
    form->addRow(tr("Into"), m_target);
    form->addRow(tr("Decay"), m_decay);
    form->addRow(tr("Feature map"), m_featureMap);
    form->addRow(tr("Initialisation"), m_init);
    form->addRow(tr("Seed"), m_seed);
    form->addRow(buttons);
    connect(buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(m_target, &QComboBox::currentIndexChanged, this, &ConvertDialog::updateChoices);
    updateChoices();
}

void ConvertDialog::updateChoices()
{
    m_decay->setEnabled(m_target->currentIndex() == int(ConversionTarget::Supra));
}

ConvertOptions ConvertDialog::options() const
{
    ConvertOptions options;
    options.target = ConversionTarget(m_target->currentIndex());
    if (m_decay->isEnabled() && m_decay->currentIndex() > 0)
        options.decay = DecayKind(m_decay->currentIndex());
    options.featureMap = FeatureMapKind(m_featureMap->currentIndex());
    options.init = FeatureInit(m_init->currentIndex());
    options.seed = m_seed->text().toULongLong();
    return options;
}

} // namespace lens
