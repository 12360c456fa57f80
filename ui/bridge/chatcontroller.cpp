#include "bridge/chatcontroller.h"

#include "bridge/format.h"
#include "bridge/sessionloader.h"

#include <algorithm>

namespace lens {
namespace {

constexpr qsizetype titleLength = 60;

bool takesPart(const std::unique_ptr<ColumnDriver> &driver)
{
    return driver->column().model() && driver->column().takesPart();
}

QString titleFrom(const QString &prompt)
{
    const QString line = prompt.left(4 * titleLength).simplified();
    return line.size() <= titleLength ? line : line.left(titleLength - 1).trimmed() + QChar(0x2026);
}

} // namespace

ChatController::ChatController(Engine &engine, ModelLibrary &library, SessionRecorder *recorder, QObject *parent)
    : QObject(parent), m_engine(engine), m_library(library), m_recorder(recorder), m_keeping(recorder), m_kept(recorder)
{
    for (int i = 0; i < minColumns; ++i)
        addDriver();
    connect(&m_library, &ModelLibrary::loaded, this, &ChatController::onModelLoaded);
    connect(&m_library, &ModelLibrary::changed, this, [this](quint64 entry) {
        for (int i = 0; i < columnCount(); ++i) {
            if (m_chosen[std::size_t(i)] == entry)
                Q_EMIT columnModelChanged(i);
        }
    });
    connect(&m_library, &ModelLibrary::unloaded, this, [this](quint64 entry) {
        for (int i = 0; i < columnCount(); ++i) {
            if (m_chosen[std::size_t(i)] == entry)
                m_drivers[std::size_t(i)]->setModel(column(i).info(), nullptr);
        }
    });
    connect(&m_library, &ModelLibrary::loadFailed, this, [this](quint64 entry, const Error &error) {
        for (int i = 0; i < columnCount(); ++i) {
            if (m_chosen[std::size_t(i)] == entry && error.code != ErrorCode::Cancelled)
                column(i).setError(error);
        }
    });
    connect(&m_library, &ModelLibrary::removed, this, [this](quint64 entry) {
        for (int i = 0; i < columnCount(); ++i) {
            if (m_chosen[std::size_t(i)] != entry)
                continue;
            m_chosen[std::size_t(i)] = 0;
            m_drivers[std::size_t(i)]->setModel({}, nullptr);
            Q_EMIT columnModelChanged(i);
        }
    });
}

ChatController::~ChatController() = default;

void ChatController::addDriver()
{
    auto driver = std::make_unique<ColumnDriver>(m_engine, m_recorder);
    ColumnDriver *raw = driver.get();
    const auto indexOf = [this, raw] {
        const auto found =
            std::find_if(m_drivers.begin(), m_drivers.end(), [raw](const auto &d) { return d.get() == raw; });
        return int(found - m_drivers.begin());
    };
    connect(raw, &ColumnDriver::measured, this,
            [this, indexOf](const HeadFrame &frame) { Q_EMIT measured(indexOf(), frame); });
    connect(raw, &ColumnDriver::tokensArrived, this, &ChatController::updateDifference);
    connect(raw, &ColumnDriver::finished, this, &ChatController::onColumnFinished);
    connect(&raw->column(), &Column::promptEncoded, this, [this, indexOf] { Q_EMIT promptEncoded(indexOf()); });
    m_drivers.push_back(std::move(driver));
    m_chosen.push_back(0);
}

void ChatController::setColumnCount(int count)
{
    count = std::clamp(count, minColumns, maxColumns);
    if (count == columnCount())
        return;
    while (columnCount() < count)
        addDriver();
    while (columnCount() > count) {
        m_drivers.pop_back();
        m_chosen.pop_back();
    }
    Q_EMIT columnsChanged();
}

void ChatController::removeColumn(int index)
{
    if (columnCount() <= minColumns)
        return;
    m_drivers.erase(m_drivers.begin() + index);
    m_chosen.erase(m_chosen.begin() + index);
    Q_EMIT columnsChanged();
    updateDifference();
}

void ChatController::chooseModel(int index, quint64 entry)
{
    ColumnDriver &driver = *m_drivers[std::size_t(index)];
    const ModelEntry *chosen = m_library.entry(entry);
    m_chosen[std::size_t(index)] = chosen ? entry : 0;
    driver.modelRow = 0;
    driver.setModel(chosen && chosen->info ? *chosen->info : ModelInfo{}, chosen ? chosen->model : nullptr);
    Q_EMIT columnModelChanged(index);
    if (chosen && !chosen->model)
        m_library.load(entry, chosen->options);
}

void ChatController::onModelLoaded(quint64 entry)
{
    const ModelEntry *loaded = m_library.entry(entry);
    for (int i = 0; i < columnCount(); ++i) {
        if (m_chosen[std::size_t(i)] != entry || column(i).model() == loaded->model)
            continue;
        m_drivers[std::size_t(i)]->setModel(*loaded->info, loaded->model);
        Q_EMIT columnModelChanged(i);
    }
    announceRestored();
}

void ChatController::announceRestored()
{
    const auto waits = [](const auto &driver) { return driver->column().last() && !driver->column().model(); };
    if (m_session == 0 || m_busy || std::any_of(m_drivers.begin(), m_drivers.end(), waits))
        return;
    for (int i = 0; i < columnCount(); ++i) {
        for (const HeadFrame &frame : m_drivers[std::size_t(i)]->savedFrames)
            Q_EMIT measured(i, frame);
    }
    Q_EMIT restored();
}

void ChatController::setSettings(const GenerationSettings &settings)
{
    m_settings = settings;
}

void ChatController::setKeeping(bool keeping)
{
    m_keeping = keeping && m_recorder;
    const auto isEmpty = [](const auto &driver) { return !driver->column().last(); };
    if (!m_keeping || std::all_of(m_drivers.begin(), m_drivers.end(), isEmpty))
        setKept(m_keeping);
}

void ChatController::setKept(bool kept)
{
    if (m_kept == kept)
        return;
    m_kept = kept;
    Q_EMIT keptChanged();
}

void ChatController::newSession()
{
    stopAll();
    ++m_round;
    m_session = m_turn = 0;
    setKept(m_keeping);
    m_title.clear();
    m_regenerations = 0;
    for (auto &driver : m_drivers) {
        driver->row = driver->modelRow = 0;
        driver->savedFrames.clear();
        driver->column().setExchanges({});
        driver->column().setPrompt({}, {});
        driver->column().setError({});
    }
    updateDifference();
    Q_EMIT answerStarted();
    Q_EMIT sessionChanged();
}

void ChatController::show(OpenedSession session)
{
    newSession();
    setColumnCount(int(session.columns.size()));
    m_session = session.session;
    m_turn = session.turn;
    m_title = session.title;
    m_settings.systemPrompt = session.systemPrompt;
    for (std::size_t i = 0; i < session.columns.size() && i < m_drivers.size(); ++i) {
        OpenedColumn &saved = session.columns[i];
        ColumnDriver &driver = *m_drivers[i];
        if (!saved.model.path.empty()) {
            const quint64 entry = m_library.add(text(saved.model.path));
            chooseModel(int(i), entry);
            if (!driver.column().model())
                driver.setModel(saved.model, nullptr);
        }
        // Without rows nothing is recorded, not even the continuation of an answer that is.
        driver.row = m_kept ? saved.row : 0;
        driver.modelRow = m_kept ? saved.modelRow : 0;
        driver.column().setExchanges(std::move(saved.exchanges));
        driver.showPrompt(std::move(saved.promptIds));
        driver.savedFrames = std::move(saved.frames);
    }
    updateDifference();
    Q_EMIT sessionChanged();
    announceRestored();
}

bool ChatController::canSend() const
{
    return !m_busy && std::any_of(m_drivers.begin(), m_drivers.end(), takesPart);
}

bool ChatController::isBusy() const
{
    return m_busy;
}

void ChatController::send(const QString &prompt, int onlyColumn)
{
    if (m_busy || prompt.isEmpty())
        return;
    // A model without a tokenizer is spared a prompt that another one can read.
    const auto reads = [](const Column &column) { return !column.info().tokenizer.empty(); };
    const bool someoneReads = std::any_of(m_drivers.begin(), m_drivers.end(), [&](const auto &driver) {
        return takesPart(driver) && reads(driver->column());
    });
    std::vector<int> asked;
    for (int i = 0; i < columnCount(); ++i) {
        const bool shared = column(i).takesPart() && (reads(column(i)) || !someoneReads);
        const bool wanted = onlyColumn < 0 ? shared : i == onlyColumn;
        if (wanted && column(i).model())
            asked.push_back(i);
    }
    if (asked.empty())
        return;
    m_regenerations = 0;
    for (const int index : asked) {
        Exchange exchange;
        exchange.parent = m_turn;
        exchange.prompt = prompt;
        column(index).appendExchange(std::move(exchange));
    }
    commitAndAnswer(prompt, m_turn, asked, 0);
}

TurnRequest ChatController::turnRequest(const QString &prompt, RowId parent) const
{
    TurnRequest request;
    request.session = m_session;
    request.title = m_title;
    request.systemPrompt = m_settings.systemPrompt;
    request.parent = parent;
    request.prompt = prompt;
    for (const auto &driver : m_drivers)
        request.columns.push_back({driver->row, driver->column().info(), m_settings.options});
    return request;
}

void ChatController::beginRound()
{
    m_busy = true;
    // What follows is no longer the session in the workspace.
    if (!m_kept)
        m_session = 0;
    Q_EMIT busyChanged(true);
}

void ChatController::commitAndAnswer(const QString &prompt, RowId parent, const std::vector<int> &asked,
                                     quint64 seedOffset)
{
    beginRound();
    Q_EMIT answerStarted();
    for (const int index : asked)
        column(index).setActivity(Column::Activity::Saving);
    if (m_title.isEmpty()) {
        m_title = titleFrom(prompt);
        Q_EMIT sessionChanged();
    }
    if (!m_kept) {
        startAnswers(asked, seedOffset);
        return;
    }
    TurnRequest request = turnRequest(prompt, parent);
    for (int i = 0; i < columnCount(); ++i) {
        const Exchange *last = column(i).last();
        const bool shared = std::find(asked.begin(), asked.end(), i) == asked.end() && last && last->parent == parent &&
                            last->turn != 0 && last->turn == m_turn && last->answer.generation != 0;
        if (shared)
            request.sharedAnswers.emplace_back(i, last->answer.generation);
    }
    m_recorder->commitTurn(std::move(request), [this, round = ++m_round, asked, seedOffset](Result<TurnRows> rows) {
        if (round != m_round)
            return;
        if (rows) {
            m_session = rows->session;
            for (std::size_t i = 0; i < m_drivers.size() && i < rows->columns.size(); ++i) {
                m_drivers[i]->row = rows->columns[i];
                m_drivers[i]->modelRow = rows->models[i];
                Column &column = m_drivers[i]->column();
                const bool isAsked = std::find(asked.begin(), asked.end(), int(i)) != asked.end();
                const bool shared = column.last() && column.last()->turn == m_turn && m_turn != 0;
                if (isAsked || shared)
                    column.setTurn(column.exchanges().size() - 1, rows->turn);
            }
            m_turn = rows->turn;
            Q_EMIT sessionSaved(m_session);
        } else {
            Q_EMIT notSaved(rows.error());
        }
        startAnswers(asked, seedOffset);
    });
}

GenerationOptions ChatController::optionsFor(quint64 seedOffset) const
{
    GenerationOptions options = m_settings.options;
    options.sampling.seed += seedOffset;
    return options;
}

void ChatController::startAnswers(const std::vector<int> &asked, quint64 seedOffset)
{
    for (const int index : asked) {
        if (index < columnCount() && column(index).activity() == Column::Activity::Saving)
            m_drivers[std::size_t(index)]->answer(m_settings.systemPrompt, optionsFor(seedOffset));
    }
    onColumnFinished();
}

void ChatController::stop(int index)
{
    if (column(index).activity() == Column::Activity::Saving)
        column(index).setActivity(Column::Activity::Idle);
    m_drivers[std::size_t(index)]->stop();
}

void ChatController::stopAll()
{
    for (int i = 0; i < columnCount(); ++i)
        stop(i);
}

void ChatController::regenerate(int index)
{
    const Exchange *last = column(index).last();
    if (m_busy || !last || !column(index).model())
        return;
    Exchange again;
    again.parent = last->parent;
    again.prompt = last->prompt;
    column(index).truncate(column(index).exchanges().size() - 1);
    column(index).appendExchange(again);
    commitAndAnswer(again.prompt, again.parent, {index}, ++m_regenerations);
}

void ChatController::regenerateAll()
{
    const auto has = [](const auto &driver) { return driver->column().last() != nullptr; };
    const auto first = std::find_if(m_drivers.begin(), m_drivers.end(), has);
    if (m_busy || first == m_drivers.end())
        return;
    const Exchange last = *(*first)->column().last();
    editAndResend(int(first - m_drivers.begin()), (*first)->column().exchanges().size() - 1, last.prompt);
}

void ChatController::continueAnswer(int index)
{
    const Exchange *last = column(index).last();
    if (m_busy || !last || !column(index).model() || last->answer.tokens.empty())
        return;
    beginRound();
    m_drivers[std::size_t(index)]->continueAnswer(optionsFor(m_regenerations));
    onColumnFinished();
}

void ChatController::editAndResend(int index, std::size_t exchange, const QString &prompt)
{
    if (m_busy || exchange >= column(index).exchanges().size())
        return;
    const RowId turn = column(index).exchanges()[exchange].turn;
    const RowId parent = column(index).exchanges()[exchange].parent;
    std::vector<int> asked;
    for (int i = 0; i < columnCount(); ++i) {
        const auto &exchanges = column(i).exchanges();
        std::size_t at = exchanges.size();
        if (i == index)
            at = exchange;
        else if (turn == 0)
            at = std::min(exchange, exchanges.size());
        else
            at = std::size_t(
                std::find_if(exchanges.begin(), exchanges.end(), [turn](const auto &e) { return e.turn == turn; }) -
                exchanges.begin());
        if (at >= exchanges.size() || !column(i).model())
            continue;
        Exchange edited;
        edited.parent = parent;
        edited.prompt = prompt;
        column(i).truncate(at);
        column(i).appendExchange(std::move(edited));
        asked.push_back(i);
    }
    if (asked.empty())
        return;
    m_turn = parent;
    commitAndAnswer(prompt, parent, asked, ++m_regenerations);
}

void ChatController::onColumnFinished()
{
    const bool busy =
        std::any_of(m_drivers.begin(), m_drivers.end(), [](const auto &driver) { return driver->column().isBusy(); });
    if (busy || !m_busy)
        return;
    m_busy = false;
    updateDifference();
    Q_EMIT busyChanged(false);
    Q_EMIT roundFinished();
}

void ChatController::setComparedColumn(int index)
{
    m_compared = index;
    updateDifference();
}

void ChatController::updateDifference()
{
    const Exchange *reference = column(0).last();
    qsizetype shown = -1;
    QString firstText, secondText;
    for (int i = 1; i < columnCount(); ++i) {
        const Exchange *other = column(i).last();
        const bool comparable = reference && other && reference->prompt == other->prompt;
        const bool sameVocabulary = column(0).info().vocabulary == column(i).info().vocabulary;
        const auto [mine, theirs] =
            comparable ? firstDifference(reference->answer.tokens, other->answer.tokens, sameVocabulary)
                       : std::pair<qsizetype, qsizetype>(-1, -1);
        column(i).setDifferenceIndex(theirs);
        if (i == m_compared && mine >= 0) {
            shown = mine;
            firstText = spelling(reference->answer.tokens[std::size_t(mine)]);
            secondText = spelling(other->answer.tokens[std::size_t(theirs)]);
        }
    }
    column(0).setDifferenceIndex(shown);
    const qint64 position = shown < 0 ? -1 : reference->answer.tokens[std::size_t(shown)].position;
    Q_EMIT firstDifferenceChanged(position, firstText, secondText);
}

} // namespace lens
