// The thread on which one column's model works. What it yields is handed to the GUI thread about 30 times a second.
#pragma once

#include "bridge/engineapi.h"

#include <QObject>
#include <QStringList>
#include <QThread>
#include <QTimer>

#include <memory>
#include <mutex>

namespace lens {

struct GenerationRequest {
    std::vector<ChatMessage> messages;
    std::vector<TokenId> continuation; ///< when not empty, answered as it stands, instead of `messages`
    GenerationOptions options;
    bool measure = true; ///< state norms, and retention where it varies
};

class ColumnRunner : public QObject {
    Q_OBJECT

public:
    /// `engine` must outlive the runner.
    explicit ColumnRunner(Engine &engine, QObject *parent = nullptr);
    /// Stops what runs and waits for it (at most some 200 ms).
    ~ColumnRunner() override;

    /// From the next request on. Null frees the decode state.
    void setModel(LoadedModelPtr model);

    /// Answers a request; one at a time: a running one is stopped first and ends before this one begins. Returns the
    /// request's number, which all signals about it carry.
    quint64 start(GenerationRequest request);
    /// What these ids look like, for a text that was not encoded here; described() tells.
    void describe(std::vector<TokenId> ids);
    void stop();
    bool isRunning() const { return m_running; }

Q_SIGNALS:
    void described(const std::vector<lens::TokenId> &ids, const QStringList &texts);
    void promptEncoded(quint64 request, const std::vector<lens::TokenId> &ids, const QStringList &texts);
    void progressed(quint64 request, const lens::Progress &progress);
    void tokens(quint64 request, const std::vector<lens::TokenEvent> &events);
    void measured(quint64 request, const lens::HeadFrame &frame);
    /// One of these ends every request.
    void finished(quint64 request, const lens::GenerationResult &result);
    void failed(quint64 request, const lens::Error &error);

private:
    struct Mailbox;
    struct Worker;

    void drain();
    void post(std::function<void()> work);

    Engine &m_engine;
    QThread m_thread;
    QObject *m_context;
    std::shared_ptr<Worker> m_worker;
    std::shared_ptr<Mailbox> m_mailbox;
    QTimer m_timer;
    std::stop_source m_stop;
    quint64 m_request = 0;
    bool m_running = false;
};

} // namespace lens
