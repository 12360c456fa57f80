// All models the window knows, loaded or not. Loaded ones are shared by the columns that show them.
#pragma once

#include "bridge/engineapi.h"
#include "bridge/job.h"

#include <QObject>
#include <QString>

#include <optional>
#include <vector>

namespace lens {

struct ModelEntry {
    enum class State {
        Listed,
        Inspecting,
        Loading,
        Loaded,
        Failed,
        BaseMissing, ///< an adapter whose base is not among the models; listed as soon as it is
    };

    quint64 id = 0;
    QString specification; ///< what loadModel takes
    QString name;          ///< for headings; from the file name until inspected
    bool bundled = false;  ///< comes with the application or was fetched by it: not to be removed from the list
    State state = State::Listed;
    std::optional<ModelInfo> info;
    LoadOptions options;
    LoadedModelPtr model;
    std::weak_ptr<const LoadedModel> convertedFrom; ///< whose weights it shares; also after that was unloaded
    quint64 sharedBytes = 0;                        ///< so many of them
    Progress progress;
    std::optional<Error> error;
};

class ModelLibrary : public QObject {
    Q_OBJECT

public:
    /// `engine` must outlive the library.
    explicit ModelLibrary(Engine &engine, QObject *parent = nullptr);
    ~ModelLibrary() override;

    const std::vector<ModelEntry> &entries() const { return m_entries; }
    const ModelEntry *entry(quint64 id) const;
    const ModelEntry *entryOf(const LoadedModelPtr &model) const;

    /// Adds a model by path or specification and looks into its headers; one that is known already is returned.
    quint64 add(const QString &specification, bool bundled = false);
    /// As add(), for a folder that was just written: what is known of it from before is forgotten.
    quint64 addWritten(const QString &folder);
    /// Adds every model file or folder inside `folder`, or one level below.
    std::vector<quint64> addFolder(const QString &folder, bool bundled = true);
    /// Adds what a person pointed at: a model, or all models in a folder that is none itself.
    std::vector<quint64> addPath(const QString &path);
    /// Forgets the entry; never touches the file. Loaded ones are unloaded first.
    void remove(quint64 id);

    void load(quint64 id, const LoadOptions &options = {});
    void cancel(quint64 id);
    void unload(quint64 id);

    /// A new entry: `source` converted in memory, as soon as `source` is loaded.
    quint64 convert(quint64 source, const ConvertOptions &options);
    /// The entry of the model that an adapted one is a change of, added if need be; 0 for other models.
    quint64 baseOf(quint64 id);
    /// An adapter to this model that is ready to be loaded; 0 when there is none.
    quint64 adapterOf(quint64 base) const;
    void save(quint64 id, const QString &folder, SaveFormat format, std::function<void(Result<void>)> done);

    /// For the dialog that asks for device and dtype.
    void estimate(quint64 id, const LoadOptions &options, std::function<void(Result<MemoryEstimate>)> done);

    /// Specifications of entries that are not bundled, to be remembered.
    QStringList remembered() const;
    int loadedCount() const;
    /// Weights in memory. A conversion keeps all tensors of its original and adds its feature maps to them: what they
    /// share is counted once.
    quint64 loadedBytes() const;

Q_SIGNALS:
    void added(quint64 id, int row);
    void aboutToAdd(int row);
    void changed(quint64 id);
    void aboutToRemove(quint64 id, int row);
    void removed(quint64 id);
    void loaded(quint64 id);
    void unloaded(quint64 id);
    void loadFailed(quint64 id, const lens::Error &error);
    void rememberedChanged();

private:
    /// Waits for its source to be loaded.
    struct PendingConversion {
        quint64 entry = 0;
        quint64 source = 0;
        QString how; ///< what follows the '@': a conversion, or "adapter=FILE"
    };

    ModelEntry *find(quint64 id);
    int rowOf(quint64 id) const;
    quint64 append(ModelEntry entry);
    void inspect(quint64 id);
    /// Adapters whose base was missing: it may have come.
    void inspectAdaptersAgain();
    /// "FILE@supra" and adapters: loads FILE (shared, when it is loaded anyway) and converts it. False for any other
    /// specification.
    bool loadByConversion(quint64 id, const LoadOptions &options);
    void startLoading(quint64 id, std::function<Result<LoadedModelPtr>(std::stop_token, const ProgressFn &)> work);
    void finishLoading(quint64 id, Result<LoadedModelPtr> result);
    void failLoading(quint64 id, const Error &error);
    void startConversion(quint64 id, LoadedModelPtr source, const QString &how);

    Engine &m_engine;
    std::vector<ModelEntry> m_entries;
    std::vector<std::pair<quint64, Job *>> m_jobs;
    std::vector<PendingConversion> m_pending;
    quint64 m_nextId = 1;
    JobRunner m_runner;
};

} // namespace lens
