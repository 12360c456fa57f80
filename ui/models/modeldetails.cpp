#include "models/modeldetails.h"

#include "bridge/format.h"
#include "models/modelfacts.h"
#include "models/writeplace.h"
#include "tensor/device.h"
#include "widgets/errorbanner.h"

#include <QComboBox>
#include <QDir>
#include <QFileDialog>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QMessageBox>
#include <QPointer>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

namespace lens {

ModelDetails::ModelDetails(ModelLibrary &library, QWidget *parent)
    : QScrollArea(parent), m_library(library), m_title(new QLabel), m_subtitle(new QLabel), m_warning(new ErrorBanner),
      m_error(new ErrorBanner), m_device(new QComboBox), m_dtype(new QComboBox), m_estimate(new QLabel),
      m_progress(new QProgressBar), m_get(new QPushButton(tr("Get a chat model…"))), m_load(new QPushButton(tr("Load"))), m_cancel(new QPushButton(tr("Cancel"))),
      m_unload(new QPushButton(tr("Unload"))), m_show(new QPushButton(tr("Show in a column"))),
      m_compare(new QPushButton(tr("Compare with its SUPRA conversion"))), m_convert(new QPushButton(tr("Convert…"))),
      m_save(new QPushButton(tr("Write to disk…"))), m_facts(new QWidget), m_form(nullptr)
{
    setWidgetResizable(true);
    setFrameShape(QFrame::NoFrame);
    QFont large = font();
    large.setPointSizeF(font().pointSizeF() * 1.5);
    large.setBold(true);
    m_title->setFont(large);
    m_title->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_title->setWordWrap(true);
    m_subtitle->setProperty("muted", true);
    auto *content = new QWidget;
    auto *layout = new QVBoxLayout(content);
    layout->setContentsMargins(24, 20, 24, 20);
    layout->setSpacing(12);
    layout->addWidget(m_title);
    layout->addWidget(m_subtitle);
    layout->addWidget(m_warning);
    layout->addWidget(m_error);
    layout->addWidget(makeLoading());
    layout->addWidget(makeActions());
    layout->addWidget(m_facts);
    layout->addStretch();
    setWidget(content);
    connect(&library, &ModelLibrary::changed, this, [this](quint64 id) {
        const ModelEntry *changed = m_library.entry(id);
        if (id == m_entry || (changed && changed->info && !changed->info->base.empty()))
            refresh();
    });
    connect(&library, &ModelLibrary::removed, this, [this](quint64 id) {
        if (id == m_entry)
            show(0);
    });
    refresh();
}

QWidget *ModelDetails::makeLoading()
{
    auto *box = new QWidget;
    auto *layout = new QHBoxLayout(box);
    layout->setContentsMargins(0, 0, 0, 0);
    m_device->addItem(tr("automatic"), QStringLiteral("auto"));
    for (const DeviceInfo &device : availableDevices())
        m_device->addItem(text(device.description), text(toString(device.device)));
    m_dtype->addItem(tr("automatic"), QStringLiteral("auto"));
    for (const char *dtype : {"float32", "bfloat16", "float16", "int8", "int4"})
        m_dtype->addItem(QString::fromLatin1(dtype), QString::fromLatin1(dtype));
    m_device->setAccessibleName(tr("Device"));
    m_dtype->setAccessibleName(tr("Element type"));
    m_estimate->setProperty("muted", true);
    m_estimate->setWordWrap(true);
    m_progress->setMaximumWidth(160);
    m_load->setProperty("primary", true);
    m_get->setProperty("primary", true);
    for (QWidget *widget :
         {static_cast<QWidget *>(m_get), static_cast<QWidget *>(m_device), static_cast<QWidget *>(m_dtype), static_cast<QWidget *>(m_load),
          static_cast<QWidget *>(m_progress), static_cast<QWidget *>(m_cancel), static_cast<QWidget *>(m_unload)})
        layout->addWidget(widget);
    layout->addWidget(m_estimate, 1);
    layout->addStretch();
    connect(m_device, &QComboBox::activated, this, &ModelDetails::updateEstimate);
    connect(m_dtype, &QComboBox::activated, this, &ModelDetails::updateEstimate);
    connect(m_get, &QPushButton::clicked, this, &ModelDetails::getModelRequested);
    connect(m_load, &QPushButton::clicked, this, [this] { m_library.load(m_entry, options()); });
    connect(m_cancel, &QPushButton::clicked, this, [this] { m_library.cancel(m_entry); });
    connect(m_unload, &QPushButton::clicked, this, [this] { m_library.unload(m_entry); });
    return box;
}

QWidget *ModelDetails::makeActions()
{
    auto *box = new QWidget;
    auto *layout = new QHBoxLayout(box);
    layout->setContentsMargins(0, 0, 0, 0);
    for (QPushButton *button : {m_compare, m_show, m_convert, m_save})
        layout->addWidget(button);
    layout->addStretch();
    connect(m_show, &QPushButton::clicked, this, [this] { Q_EMIT openInColumn(m_entry); });
    connect(m_compare, &QPushButton::clicked, this, [this] { Q_EMIT compareRequested(m_entry); });
    connect(m_convert, &QPushButton::clicked, this, [this] { Q_EMIT convertRequested(m_entry); });
    makeSaveMenu();
    return box;
}

LoadOptions ModelDetails::options() const
{
    LoadOptions options;
    options.device = m_device->currentData().toString().toStdString();
    options.dtype = m_dtype->currentData().toString().toStdString();
    return options;
}

void ModelDetails::show(quint64 entry)
{
    m_entry = entry;
    m_error->hide();
    if (const ModelEntry *shown = m_library.entry(entry)) {
        m_device->setCurrentIndex(std::max(0, m_device->findData(text(shown->options.device))));
        m_dtype->setCurrentIndex(std::max(0, m_dtype->findData(text(shown->options.dtype))));
    }
    refresh();
    updateEstimate();
}

void ModelDetails::refresh()
{
    const ModelEntry *entry = m_library.entry(m_entry);
    widget()->setVisible(entry != nullptr);
    if (!entry)
        return;
    using State = ModelEntry::State;
    const bool loading = entry->state == State::Loading, loaded = entry->state == State::Loaded;
    const bool softmax =
        entry->info && entry->info->mixer == "softmax" && !entry->specification.contains(QLatin1Char('@'));
    m_title->setText(entry->name);
    m_subtitle->setText(loaded    ? tr("loaded")
                        : loading ? tr("loading: %1").arg(text(entry->progress.stage))
                                  : tr("not loaded"));
    const bool baseMissing = entry->state == State::BaseMissing, loadable = !loading && !loaded && !baseMissing;
    m_load->setVisible(loadable);
    m_device->setVisible(loadable);
    m_dtype->setVisible(loadable);
    m_get->setVisible(baseMissing && entry->bundled);
    m_progress->setVisible(loading);
    m_cancel->setVisible(loading);
    m_unload->setVisible(loaded);
    m_progress->setRange(0, entry->progress.total > 0 ? 1000 : 0);
    if (entry->progress.total > 0)
        m_progress->setValue(int(1000.0 * double(entry->progress.done) / double(entry->progress.total)));
    m_estimate->setVisible(loadable);
    const bool adapted = entry->info && !entry->info->base.empty();
    m_compare->setVisible(softmax || adapted);
    m_compare->setText(adapted                         ? tr("Compare with its base")
                       : m_library.adapterOf(m_entry) ? tr("Compare with its SUPRA adapter")
                                                       : tr("Compare with its SUPRA conversion"));
    m_convert->setVisible(softmax);
    m_show->setVisible(!baseMissing);
    m_show->setEnabled(entry->state != State::Failed);
    m_save->setVisible(!baseMissing);
    m_save->setEnabled(loaded);
    if (baseMissing)
        m_warning->showWarning(tr("An adapter is a trained change of another model. Once that is among the models, both can be "
                                  "loaded and compared. Now %1.").arg(text(entry->error->what)),
                               false);
    else if (entry->info && entry->info->untrained)
        m_warning->showWarning(
            tr("Converted, not uptrained: talks nonsense. It shows the mechanism, not the quality, of the method."),
            false);
    else
        m_warning->hide();
    if (entry->error && !baseMissing)
        m_error->showError(*entry->error);
    else
        m_error->hide();
    fillFacts(*entry);
}

void ModelDetails::fillFacts(const ModelEntry &entry)
{
    qDeleteAll(m_facts->findChildren<QWidget *>(Qt::FindDirectChildrenOnly));
    delete m_facts->layout();
    m_form = new QFormLayout(m_facts);
    m_form->setContentsMargins(0, 8, 0, 0);
    m_form->setHorizontalSpacing(24);
    m_form->setVerticalSpacing(6);
    m_form->setLabelAlignment(Qt::AlignLeft);
    if (!entry.info)
        return;
    for (const auto &[label, value] : modelFacts(*entry.info))
        addFact(label, value);
}

void ModelDetails::addFact(const QString &label, const QString &value)
{
    auto *name = new QLabel(label);
    name->setProperty("muted", true);
    auto *shown = new QLabel(value);
    shown->setTextInteractionFlags(Qt::TextSelectableByMouse);
    shown->setTextFormat(Qt::PlainText);
    shown->setWordWrap(true);
    shown->setAccessibleName(QStringLiteral("%1: %2").arg(label, value));
    m_form->addRow(name, shown);
}

void ModelDetails::updateEstimate()
{
    m_estimate->clear();
    m_library.estimate(
        m_entry, options(),
        [this, self = QPointer(this), request = ++m_estimateRequest](const Result<MemoryEstimate> &estimate) {
            if (!self || request != m_estimateRequest)
                return;
            if (!estimate) {
                m_estimate->setText(text(toString(estimate.error())));
                return;
            }
            QString line = tr("needs %1: weights %2, full context %3, working memory %4")
                               .arg(formatBytes(estimate->total()), formatBytes(estimate->weights),
                                    formatBytes(estimate->stateAtContext), formatBytes(estimate->working));
            if (estimate->available > 0)
                line += estimate->total() > estimate->available
                            ? tr(" — more than the %1 that are free").arg(formatBytes(estimate->available))
                            : tr("; %1 are free").arg(formatBytes(estimate->available));
            m_estimate->setText(line);
        });
}

void ModelDetails::makeSaveMenu()
{
    auto *menu = new QMenu(m_save);
    menu->addAction(tr("As &SUPRA Lens reads it (safetensors)…"), this, [this] { saveToDisk(SaveFormat::SupraLens); });
    menu->addAction(tr("For &uptraining with open_lm (.pt)…"), this, [this] { saveToDisk(SaveFormat::OpenLm); });
    m_save->setMenu(menu);
}

/// Asks before a model that is there already is replaced; refuses to mix two.
bool ModelDetails::mayWriteInto(const QString &folder, SaveFormat format)
{
    const WritePlace place = writePlace(folder, format);
    if (place.kind == WritePlace::Kind::Free)
        return true;
    if (place.kind == WritePlace::Kind::Taken) {
        m_error->showError({ErrorCode::InvalidArgument,
                            tr("the folder holds another model (%1), and the two could not be told apart")
                                .arg(place.file)
                                .toStdString(),
                            folder.toStdString(), tr("choose an empty folder").toStdString()});
        return false;
    }
    QMessageBox box(QMessageBox::Warning, tr("Replace the model there?"),
                    tr("%1 holds a model already.").arg(QDir(folder).dirName()), QMessageBox::Cancel, this);
    box.setInformativeText(tr("Writing into it replaces files like %1 and cannot be undone.").arg(place.file));
    const QPushButton *replace = box.addButton(tr("Replace"), QMessageBox::DestructiveRole);
    box.setDefaultButton(QMessageBox::Cancel);
    box.exec();
    return box.clickedButton() == replace;
}

void ModelDetails::saveToDisk(SaveFormat format)
{
    const quint64 entry = m_entry;
    const QString folder = QFileDialog::getExistingDirectory(this, tr("Folder to write the model into"));
    if (folder.isEmpty() || !mayWriteInto(folder, format))
        return;
    m_error->hide();
    m_subtitle->setText(tr("writing to %1…").arg(folder));
    m_library.save(entry, folder, format, [this, self = QPointer(this), entry, folder](const Result<void> &result) {
        if (!self)
            return;
        if (result)
            m_library.addWritten(folder);
        if (entry != m_entry)
            return;
        refresh();
        if (result)
            m_subtitle->setText(tr("written to %1").arg(folder));
        else if (result.error().code != ErrorCode::Cancelled)
            m_error->showError(result.error());
    });
}

} // namespace lens
