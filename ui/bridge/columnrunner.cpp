#include "bridge/columnrunner.h"

namespace lens {

/// What the worker has to tell. One per request, so that nothing of an old request can reach a new one.
struct ColumnRunner::Mailbox {
    std::mutex mutex;
    quint64 request = 0;
    bool encoded = false;
    std::vector<TokenId> promptIds;
    QStringList promptTexts;
    std::optional<Progress> progress;
    std::vector<TokenEvent> tokens;
    std::vector<HeadFrame> frames;
};

/// Touched on the worker thread only.
struct ColumnRunner::Worker {
    LoadedModelPtr model;
    std::unique_ptr<ColumnEngine> engine;

    Result<GenerationResult> answer(Engine &api, const GenerationRequest &request, Mailbox &mailbox,
                                    std::stop_token stop);
};

namespace {

QStringList toStrings(const std::vector<std::string> &texts)
{
    QStringList list;
    list.reserve(qsizetype(texts.size()));
    for (const std::string &text : texts)
        list.append(QString::fromStdString(text));
    return list;
}

} // namespace

Result<GenerationResult> ColumnRunner::Worker::answer(Engine &api, const GenerationRequest &request, Mailbox &mailbox,
                                                      std::stop_token stop)
{
    if (!model)
        return fail(ErrorCode::InvalidArgument, "no model is loaded in this column", {}, "choose a model");
    if (!engine) {
        auto opened = api.openColumn(model);
        if (!opened)
            return propagate(opened);
        engine = std::move(*opened);
    }
    std::vector<TokenId> ids = request.continuation;
    if (ids.empty()) {
        auto encoded = engine->encode(request.messages);
        if (!encoded)
            return propagate(encoded);
        ids = std::move(*encoded);
    }
    const QStringList texts = toStrings(api.tokenTexts(*model, ids));
    {
        const std::lock_guard lock(mailbox.mutex);
        mailbox.encoded = true;
        mailbox.promptIds = ids;
        mailbox.promptTexts = texts;
    }
    GenerationCallbacks callbacks;
    callbacks.token = [&mailbox](const TokenEvent &event) {
        const std::lock_guard lock(mailbox.mutex);
        mailbox.tokens.push_back(event);
    };
    callbacks.progress = [&mailbox](const Progress &progress) {
        const std::lock_guard lock(mailbox.mutex);
        mailbox.progress = progress;
    };
    if (request.measure && !(model->info().isRecurrent() && model->info().stateBytes == 0)) {
        callbacks.stateNorms = callbacks.retention = [&mailbox](const HeadFrame &frame) {
            const std::lock_guard lock(mailbox.mutex);
            mailbox.frames.push_back(frame);
        };
    }
    return engine->generate(ids, request.options, callbacks, stop);
}

ColumnRunner::ColumnRunner(Engine &engine, QObject *parent)
    : QObject(parent), m_engine(engine), m_context(new QObject), m_worker(std::make_shared<Worker>()),
      m_mailbox(std::make_shared<Mailbox>())
{
    m_context->moveToThread(&m_thread);
    connect(&m_thread, &QThread::finished, m_context, &QObject::deleteLater);
    m_timer.setInterval(33);
    connect(&m_timer, &QTimer::timeout, this, &ColumnRunner::drain);
    m_thread.start();
}

ColumnRunner::~ColumnRunner()
{
    m_stop.request_stop();
    // Weights and states are freed on the thread that used them, which can take a while.
    post([worker = m_worker] {
        worker->engine.reset();
        worker->model.reset();
    });
    m_thread.quit();
    m_thread.wait();
}

void ColumnRunner::post(std::function<void()> work)
{
    QMetaObject::invokeMethod(m_context, std::move(work), Qt::QueuedConnection);
}

void ColumnRunner::setModel(LoadedModelPtr model)
{
    stop();
    post([worker = m_worker, model = std::move(model)] {
        worker->engine.reset();
        worker->model = model;
    });
}

quint64 ColumnRunner::start(GenerationRequest request)
{
    stop();
    drain();
    m_stop = std::stop_source();
    m_mailbox = std::make_shared<Mailbox>();
    m_mailbox->request = ++m_request;
    m_running = true;
    m_timer.start();
    post([this, number = m_request, worker = m_worker, mailbox = m_mailbox, stop = m_stop.get_token(),
          request = std::move(request)] {
        const auto result = worker->answer(m_engine, request, *mailbox, stop);
        QMetaObject::invokeMethod(
            this,
            [this, number, result] {
                if (number == m_request) {
                    drain();
                    m_timer.stop();
                    m_running = false;
                }
                if (result)
                    Q_EMIT finished(number, *result);
                else
                    Q_EMIT failed(number, result.error());
            },
            Qt::QueuedConnection);
    });
    return m_request;
}

void ColumnRunner::describe(std::vector<TokenId> ids)
{
    post([this, worker = m_worker, ids = std::move(ids)] {
        if (!worker->model)
            return;
        const QStringList texts = toStrings(m_engine.tokenTexts(*worker->model, ids));
        QMetaObject::invokeMethod(
            this, [this, ids, texts] { Q_EMIT described(ids, texts); }, Qt::QueuedConnection);
    });
}

void ColumnRunner::stop()
{
    m_stop.request_stop();
}

void ColumnRunner::drain()
{
    Mailbox news;
    {
        const std::lock_guard lock(m_mailbox->mutex);
        news.request = m_mailbox->request;
        std::swap(news.encoded, m_mailbox->encoded);
        news.promptIds.swap(m_mailbox->promptIds);
        news.promptTexts.swap(m_mailbox->promptTexts);
        news.progress.swap(m_mailbox->progress);
        news.tokens.swap(m_mailbox->tokens);
        news.frames.swap(m_mailbox->frames);
    }
    if (news.encoded)
        Q_EMIT promptEncoded(news.request, news.promptIds, news.promptTexts);
    if (news.progress)
        Q_EMIT progressed(news.request, *news.progress);
    if (!news.tokens.empty())
        Q_EMIT tokens(news.request, news.tokens);
    for (const HeadFrame &frame : news.frames)
        Q_EMIT measured(news.request, frame);
}

} // namespace lens
