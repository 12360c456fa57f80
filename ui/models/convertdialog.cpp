#include "models/convertdialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRegularExpressionValidator>

#include <set>

namespace lens {
namespace {

constexpr int OwnDecay = 3; ///< in the list of decays, after those that DecayKind names

} // namespace

std::optional<std::vector<std::int64_t>> layersFromText(const QString &text, std::int64_t layerCount)
{
    if (text.trimmed().isEmpty())
        return std::vector<std::int64_t>();
    static const QRegularExpression part(QStringLiteral("^\\s*([0-9]{1,6})\\s*(?:[-–]\\s*([0-9]{1,6})\\s*)?$"));
    std::set<std::int64_t> layers;
    for (const QString &piece : text.split(QLatin1Char(','))) {
        const QRegularExpressionMatch match = part.match(piece);
        if (!match.hasMatch())
            return {};
        const std::int64_t first = match.captured(1).toInt();
        const std::int64_t last = match.captured(2).isEmpty() ? first : match.captured(2).toInt();
        if (last < first || last >= layerCount)
            return {};
        for (std::int64_t layer = first; layer <= last; ++layer)
            layers.insert(layer);
    }
    // All of them, spelt out, is the same conversion.
    return std::int64_t(layers.size()) == layerCount ? std::vector<std::int64_t>()
                                                     : std::vector<std::int64_t>(layers.begin(), layers.end());
}

std::optional<std::vector<double>> gammasFromText(const QString &text, std::int64_t heads)
{
    const QString plain = text.simplified().remove(QLatin1Char(' '));
    auto gammas = parseGammas(plain.toStdString());
    if (!gammas)
        return {};
    if (gammas->size() == 1)
        gammas->resize(std::size_t(heads), gammas->front());
    if (std::int64_t(gammas->size()) != heads)
        return {};
    return std::move(*gammas);
}

ConvertDialog::ConvertDialog(const QString &modelName, std::int64_t layerCount, std::int64_t heads, QWidget *parent)
    : QDialog(parent), m_layerCount(layerCount), m_heads(heads), m_target(new QComboBox), m_decay(new QComboBox),
      m_gammas(new QLineEdit), m_featureMap(new QComboBox), m_init(new QComboBox), m_seed(new QLineEdit(QStringLiteral("0"))),
      m_layers(new QLineEdit), m_buttons(new QDialogButtonBox(QDialogButtonBox::Ok | QDialogButtonBox::Cancel))
{
    setWindowTitle(tr("Convert %1").arg(modelName));
    m_target->addItems({tr("SUPRA"), tr("T2R"), tr("plain linear attention")});
    m_decay->addItems({tr("per head, as in Lightning Attention"), tr("per head, as in RetNet"), tr("none"), tr("own")});
    m_gammas->setPlaceholderText(tr("%1 numbers, as in 0.9, 0.99; or one for all heads").arg(heads));
    m_gammas->setAccessibleName(tr("Own decays"));
    m_gammas->setToolTip(tr("What is left of a head's state after each token: above 0, at most 1. 1 forgets nothing."));
    m_featureMap->addItems({tr("the method's own"), tr("ReLU"), tr("1 + ELU"), tr("Hedgehog"), tr("ReLU, one per head")});
    m_init->addItems({tr("random, as the method prescribes"), tr("identity: keeps more of the original")});
    m_seed->setValidator(new QRegularExpressionValidator(QRegularExpression(QStringLiteral("[0-9]{1,19}")), m_seed));
    auto *form = new QFormLayout(this);
    auto *note =
        new QLabel(tr("The weights are converted in memory and nothing is trained: the result talks nonsense until "
                      "it is uptrained. It opens beside the original."));
    note->setWordWrap(true);
    note->setProperty("muted", true);
    note->setMinimumWidth(360);
    m_layers->setPlaceholderText(layerCount > 1 ? tr("all; or some of 0-%1, as in 0, 2-3").arg(layerCount - 1)
                                                : tr("all"));
    m_buttons->button(QDialogButtonBox::Ok)->setText(tr("Convert"));
    form->addRow(note);
    form->addRow(tr("Into"), m_target);
    form->addRow(tr("Decay"), m_decay);
    form->addRow(tr("Own decays"), m_gammas);
    form->addRow(tr("Feature map"), m_featureMap);
    form->addRow(tr("Initialisation"), m_init);
    form->addRow(tr("Seed"), m_seed);
    form->addRow(tr("Layers"), m_layers);
    form->addRow(m_buttons);
    connect(m_buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
    connect(m_buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(m_target, &QComboBox::currentIndexChanged, this, &ConvertDialog::updateChoices);
    connect(m_decay, &QComboBox::currentIndexChanged, this, &ConvertDialog::updateChoices);
    connect(m_gammas, &QLineEdit::textChanged, this, &ConvertDialog::updateChoices);
    connect(m_layers, &QLineEdit::textChanged, this, &ConvertDialog::updateChoices);
    connect(m_seed, &QLineEdit::textChanged, this, &ConvertDialog::updateChoices);
    updateChoices();
}

bool ConvertDialog::hasOwnDecay() const
{
    return m_decay->isEnabled() && m_decay->currentIndex() == OwnDecay;
}

void ConvertDialog::updateChoices()
{
    m_decay->setEnabled(m_target->currentIndex() == int(ConversionTarget::Supra));
    m_gammas->setEnabled(hasOwnDecay());
    const bool gammasFit = !hasOwnDecay() || gammasFromText(m_gammas->text(), m_heads);
    m_buttons->button(QDialogButtonBox::Ok)
        ->setEnabled(gammasFit && layersFromText(m_layers->text(), m_layerCount) && m_seed->hasAcceptableInput());
}

ConvertOptions ConvertDialog::options() const
{
    ConvertOptions options;
    options.target = ConversionTarget(m_target->currentIndex());
    if (hasOwnDecay())
        options.gammas = gammasFromText(m_gammas->text(), m_heads).value_or(std::vector<double>());
    else if (m_decay->isEnabled() && m_decay->currentIndex() > 0)
        options.decay = DecayKind(m_decay->currentIndex());
    options.featureMap = FeatureMapKind(m_featureMap->currentIndex());
    options.init = FeatureInit(m_init->currentIndex());
    options.seed = m_seed->text().toULongLong();
    options.layers = layersFromText(m_layers->text(), m_layerCount).value_or(std::vector<std::int64_t>());
    return options;
}

} // namespace lens
