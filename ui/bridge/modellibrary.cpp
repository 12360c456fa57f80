#include "bridge/modellibrary.h"

#include "bridge/format.h"
#include "bridge/specificationparts.h"
#include "engine/modelfolders.h"

#include <QDir>
#include <QFileInfo>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <utility>

namespace lens {

namespace {

/// Of an entry that could be neither inspected nor loaded.
ModelEntry::State stateAfter(const Error &error, const QString &specification)
{
    return error.code == ErrorCode::NotFound && isAdapter(specification.toStdString()) ? ModelEntry::State::BaseMissing
                                                                                       : ModelEntry::State::Failed;
}

} // namespace

ModelLibrary::ModelLibrary(Engine &engine, QObject *parent) : QObject(parent), m_engine(engine), m_runner(2)
{
}

ModelLibrary::~ModelLibrary() = default;

ModelEntry *ModelLibrary::find(quint64 id)
{
    const auto found = std::find_if(m_entries.begin(), m_entries.end(), [id](const auto &e) { return e.id == id; });
    return found == m_entries.end() ? nullptr : &*found;
}

const ModelEntry *ModelLibrary::entry(quint64 id) const
{
    return const_cast<ModelLibrary *>(this)->find(id);
}

const ModelEntry *ModelLibrary::entryOf(const LoadedModelPtr &model) const
{
    const auto found =
        std::find_if(m_entries.begin(), m_entries.end(), [&model](const auto &e) { return model && e.model == model; });
    return found == m_entries.end() ? nullptr : &*found;
}

int ModelLibrary::rowOf(quint64 id) const
{
    for (std::size_t i = 0; i < m_entries.size(); ++i) {
        if (m_entries[i].id == id)
            return int(i);
    }
    return -1;
}

quint64 ModelLibrary::append(ModelEntry entry)
{
    entry.id = m_nextId++;
    const quint64 id = entry.id;
    const int row = int(m_entries.size());
    Q_EMIT aboutToAdd(row);
    m_entries.push_back(std::move(entry));
    Q_EMIT added(id, row);
    return id;
}

quint64 ModelLibrary::add(const QString &wanted, bool bundled)
{
    const QString specification = withAbsolutePath(wanted);
    for (const ModelEntry &known : m_entries) {
        if (known.specification == specification)
            return known.id;
    }
    ModelEntry entry;
    entry.specification = specification;
    entry.name = nameFromSpecification(specification);
    entry.bundled = bundled;
    const quint64 id = append(std::move(entry));
    inspect(id);
    if (!bundled)
        Q_EMIT rememberedChanged();
    return id;
}

quint64 ModelLibrary::addWritten(const QString &folder)
{
    const std::size_t before = m_entries.size();
    const quint64 id = add(folder);
    if (m_entries.size() > before)
        return id;
    cancel(id);
    unload(id);
    find(id)->error.reset();
    inspect(id);
    return id;
}

std::vector<quint64> ModelLibrary::addFolder(const QString &folder, bool bundled)
{
    std::vector<quint64> found;
    const auto wanted = QDir::Files | QDir::Dirs | QDir::NoDotAndDotDot;
    for (const QFileInfo &file : QDir(folder).entryInfoList(wanted, QDir::Name)) {
        if (looksLikeModel(file)) {
            found.push_back(add(file.absoluteFilePath(), bundled));
            continue;
        }
        if (!file.isDir())
            continue;
        for (const QFileInfo &inner : QDir(file.absoluteFilePath()).entryInfoList(wanted, QDir::Name)) {
            if (looksLikeModel(inner))
                found.push_back(add(inner.absoluteFilePath(), bundled));
        }
    }
    return found;
}

std::vector<quint64> ModelLibrary::addPath(const QString &path)
{
    const QFileInfo file(path);
    if (file.isDir() && !looksLikeModel(file)) {
        if (std::vector<quint64> found = addFolder(path, false); !found.empty())
            return found;
    }
    return {add(path)};
}

void ModelLibrary::inspect(quint64 id)
{
    ModelEntry *entry = find(id);
    entry->state = ModelEntry::State::Inspecting;
    const QString specification = entry->specification;
    const SpecificationParts parts = partsOf(specification);
    const bool isConverted = parts.conversion && adapterIn(*parts.conversion).isEmpty();
    const std::string path = (isConverted ? parts.model : specification).toStdString();
    m_runner.run<ModelInfo>(
        tr("Looking into %1").arg(entry->name),
        [this, path](std::stop_token, const ProgressFn &) { return m_engine.inspect(path); },
        [this, id, specification, isConverted](Result<ModelInfo> info) {
            ModelEntry *entry = find(id);
            if (!entry || entry->state != ModelEntry::State::Inspecting)
                return;
            entry->state = info ? ModelEntry::State::Listed : stateAfter(info.error(), specification);
            if (info) {
                info->path = specification.toStdString();
                describeConversion(*info, specification);
                entry->info = *info;
                if (!isConverted && !info->name.empty())
                    entry->name = text(info->name);
                entry->error.reset();
            } else {
                entry->error = info.error();
            }
            Q_EMIT changed(id);
            if (info && info->base.empty())
                inspectAdaptersAgain();
        });
}

void ModelLibrary::inspectAdaptersAgain()
{
    std::vector<quint64> waiting;
    for (const ModelEntry &entry : m_entries) {
        if (entry.state == ModelEntry::State::BaseMissing)
            waiting.push_back(entry.id);
    }
    for (const quint64 id : waiting)
        inspect(id);
}

quint64 ModelLibrary::baseOf(quint64 id)
{
    const ModelEntry *adapted = entry(id);
    return adapted && adapted->info && !adapted->info->base.empty() ? add(text(adapted->info->base)) : 0;
}

quint64 ModelLibrary::adapterOf(quint64 base) const
{
    const ModelEntry *wanted = entry(base);
    for (const ModelEntry &adapted : m_entries) {
        if (wanted && adapted.info && !adapted.info->base.empty() && adapted.state != ModelEntry::State::Failed
            && withAbsolutePath(text(adapted.info->base)) == wanted->specification)
            return adapted.id;
    }
    return 0;
}

void ModelLibrary::remove(quint64 id)
{
    const int row = rowOf(id);
    if (row < 0)
        return;
    cancel(id);
    unload(id);
    Q_EMIT aboutToRemove(id, row);
    m_entries.erase(m_entries.begin() + row);
    Q_EMIT removed(id);
    Q_EMIT rememberedChanged();
}

void ModelLibrary::load(quint64 id, const LoadOptions &options)
{
    ModelEntry *entry = find(id);
    if (!entry || entry->state == ModelEntry::State::Loading)
        return;
    if (entry->model && entry->options.device == options.device && entry->options.dtype == options.dtype) {
        Q_EMIT loaded(id);
        return;
    }
    unload(id);
    entry->options = options;
    if (loadByConversion(id, options))
        return;
    startLoading(id, [this, specification = entry->specification.toStdString(), options](std::stop_token stop,
                                                                                         const ProgressFn &progress) {
        return m_engine.load(specification, options, stop, progress);
    });
}

bool ModelLibrary::loadByConversion(quint64 id, const LoadOptions &options)
{
    SpecificationParts parts = partsOf(find(id)->specification);
    if (!parts.conversion && find(id)->info && !find(id)->info->base.empty())
        parts = {text(find(id)->info->base), QStringLiteral("adapter=") + parts.model};
    const QString how = parts.conversion.value_or(QString());
    if (adapterIn(how).isEmpty() && !parseConversion(how.toStdString()))
        return false;
    const quint64 source = add(parts.model);
    ModelEntry *original = find(source);
    if (original->model) {
        startConversion(id, original->model, how);
        return true;
    }
    m_pending.push_back({id, source, how});
    find(id)->state = ModelEntry::State::Loading;
    Q_EMIT changed(id);
    if (original->state != ModelEntry::State::Loading) {
        original->options = options;
        load(source, options);
    }
    return true;
}

void ModelLibrary::startLoading(quint64 id,
                                std::function<Result<LoadedModelPtr>(std::stop_token, const ProgressFn &)> work)
{
    ModelEntry *entry = find(id);
    entry->state = ModelEntry::State::Loading;
    entry->error.reset();
    entry->progress = {};
    Job *job = m_runner.run<LoadedModelPtr>(
        tr("Loading %1").arg(entry->name), std::move(work),
        [this, id](Result<LoadedModelPtr> result) { finishLoading(id, std::move(result)); });
    connect(job, &Job::progressed, this, [this, id](const Progress &progress) {
        if (ModelEntry *entry = find(id)) {
            entry->progress = progress;
            Q_EMIT changed(id);
        }
    });
    m_jobs.emplace_back(id, job);
    Q_EMIT changed(id);
}

void ModelLibrary::finishLoading(quint64 id, Result<LoadedModelPtr> result)
{
    std::erase_if(m_jobs, [id](const auto &job) { return job.first == id; });
    ModelEntry *entry = find(id);
    if (!entry)
        return;
    if (!result) {
        failLoading(id, result.error());
        return;
    }
    entry->model = std::move(*result);
    entry->info = entry->model->info();
    if (!entry->info->name.empty())
        entry->name = withOptions(text(entry->info->name), entry->specification);
    if (entry->info->sharedBytes > 0)
        entry->sharedBytes = entry->info->sharedBytes;
    entry->state = ModelEntry::State::Loaded;
    Q_EMIT changed(id);
    Q_EMIT loaded(id);
    const LoadedModelPtr model = find(id)->model;
    const auto isReady = [id](const PendingConversion &pending) { return pending.source == id; };
    std::vector<PendingConversion> ready;
    std::copy_if(m_pending.begin(), m_pending.end(), std::back_inserter(ready), isReady);
    std::erase_if(m_pending, isReady);
    for (const PendingConversion &pending : ready) {
        if (find(pending.entry))
            startConversion(pending.entry, model, pending.how);
    }
}

void ModelLibrary::failLoading(quint64 id, const Error &error)
{
    ModelEntry *entry = find(id);
    const bool cancelled = error.code == ErrorCode::Cancelled;
    entry->state = cancelled ? ModelEntry::State::Listed : stateAfter(error, entry->specification);
    if (!cancelled)
        entry->error = error;
    Q_EMIT changed(id);
    Q_EMIT loadFailed(id, error);
    const auto pending = std::exchange(m_pending, {});
    for (const PendingConversion &conversion : pending) {
        if (conversion.source != id)
            m_pending.push_back(conversion);
        else if (find(conversion.entry))
            failLoading(conversion.entry, error);
    }
}

void ModelLibrary::startConversion(quint64 id, LoadedModelPtr source, const QString &how)
{
    ModelEntry *entry = find(id);
    entry->convertedFrom = source;
    entry->sharedBytes = source->info().weightBytes;
    const std::string adapter = adapterIn(how).toStdString();
    const ConvertOptions options = parseConversion(how.toStdString()).value_or(ConvertOptions());
    startLoading(id, [this, source = std::move(source), adapter, options](std::stop_token stop, const ProgressFn &progress) {
        return adapter.empty() ? m_engine.convert(source, options, stop, progress) : m_engine.adapt(source, adapter);
    });
}

void ModelLibrary::cancel(quint64 id)
{
    // A conversion that waits for its source has no job yet; the source may be wanted by another column.
    if (std::erase_if(m_pending, [id](const auto &pending) { return pending.entry == id; }) > 0)
        failLoading(id, Error{ErrorCode::Cancelled, "loading was cancelled", {}, {}});
    for (const auto &[entry, job] : m_jobs) {
        if (entry == id)
            job->cancel();
    }
}

void ModelLibrary::unload(quint64 id)
{
    ModelEntry *entry = find(id);
    if (!entry || !entry->model)
        return;
    entry->model.reset();
    entry->convertedFrom.reset();
    entry->sharedBytes = 0;
    entry->state = ModelEntry::State::Listed;
    Q_EMIT changed(id);
    Q_EMIT unloaded(id);
}

quint64 ModelLibrary::convert(quint64 source, const ConvertOptions &options)
{
    const ModelEntry *original = entry(source);
    if (!original)
        return 0;
    const QString specification = QStringLiteral("%1@%2").arg(original->specification, text(toString(options)));
    for (const ModelEntry &known : m_entries) {
        if (known.specification == specification) {
            load(known.id, known.options);
            return known.id;
        }
    }
    ModelEntry converted;
    converted.specification = specification;
    converted.name = nameFromSpecification(specification);
    converted.options = original->options;
    const LoadedModelPtr model = original->model;
    const quint64 id = append(std::move(converted));
    Q_EMIT rememberedChanged();
    if (model) {
        startConversion(id, model, text(toString(options)));
        return id;
    }
    m_pending.push_back({id, source, text(toString(options))});
    load(source, entry(source)->options);
    return id;
}

void ModelLibrary::save(quint64 id, const QString &folder, SaveFormat format, std::function<void(Result<void>)> done)
{
    const ModelEntry *entry = this->entry(id);
    if (!entry || !entry->model)
        return;
    Job *job = m_runner.run<void>(
        tr("Writing %1").arg(entry->name),
        [this, model = entry->model, folder = folder.toStdString(), format](std::stop_token stop,
                                                                            const ProgressFn &progress) {
            return m_engine.save(*model, folder, format, stop, progress);
        },
        [this, id, done = std::move(done)](Result<void> result) {
            std::erase_if(m_jobs, [id](const auto &job) { return job.first == id; });
            done(std::move(result));
        });
    m_jobs.emplace_back(id, job);
}

void ModelLibrary::estimate(quint64 id, const LoadOptions &options, std::function<void(Result<MemoryEstimate>)> done)
{
    const ModelEntry *entry = this->entry(id);
    if (!entry || !entry->info)
        return;
    m_runner.run<MemoryEstimate>(
        tr("Estimating memory"),
        [this, info = *entry->info, options](std::stop_token, const ProgressFn &) {
            return m_engine.estimate(info, options);
        },
        std::move(done));
}

QStringList ModelLibrary::remembered() const
{
    QStringList specifications;
    for (const ModelEntry &entry : m_entries) {
        if (!entry.bundled)
            specifications.append(entry.specification);
    }
    return specifications;
}

int ModelLibrary::loadedCount() const
{
    return int(std::count_if(m_entries.begin(), m_entries.end(), [](const auto &e) { return e.model != nullptr; }));
}

quint64 ModelLibrary::loadedBytes() const
{
    quint64 bytes = 0;
    std::set<std::weak_ptr<const LoadedModel>, std::owner_less<>> counted;
    for (const ModelEntry &entry : m_entries) {
        if (!entry.model || !entry.info)
            continue;
        const quint64 shared = std::min<quint64>(entry.sharedBytes, entry.info->weightBytes);
        const bool converted = shared > 0;
        bytes += converted ? entry.info->weightBytes - shared : 0;
        if (counted.insert(converted ? entry.convertedFrom : entry.model).second)
            bytes += converted ? shared : entry.info->weightBytes;
    }
    return bytes;
}

} // namespace lens
