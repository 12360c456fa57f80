// Every kind of row goes in and comes out again, also after closing the file.
#include "store/connection.h"
#include "storetest.h"

#include <cmath>

using namespace lens;
using namespace lens::test;

class TestWorkspace : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void modelKeepsEverything()
    {
        ScratchWorkspace workspace;
        const ModelInfo info = someModel();
        const RowId id = must(workspace->models().record(info));
        workspace.open();
        const ModelRow row = must(workspace->models().get(id));
        QCOMPARE(row.info.name, info.name);
        QCOMPARE(row.info.path, info.path);
        QCOMPARE(row.info.fingerprint, info.fingerprint);
        QCOMPARE(row.info.origin, info.origin);
        QCOMPARE(row.info.licence, info.licence);
        QCOMPARE(row.info.untrained, true);
        QCOMPARE(row.info.parameters, info.parameters);
        QCOMPARE(row.info.kvBytesPerToken, info.kvBytesPerToken);
        QCOMPARE(row.info.layers.size(), size_t(2));
        QCOMPARE(row.info.layers[0].slidingWindow, 16);
        QCOMPARE(row.info.layers[1].gamma, info.layers[1].gamma);
        QVERIFY(row.added > 0);
    }

    void modelIsOneRowForItsWeightsAndPath()
    {
        ScratchWorkspace workspace;
        ModelInfo info = someModel();
        info.fingerprint.clear();
        const RowId inspected = must(workspace->models().record(info));
        info.fingerprint = "aa";
        QCOMPARE(must(workspace->models().record(info)), inspected);
        QCOMPARE(must(workspace->models().record(info)), inspected);
        info.fingerprint = "bb";
        const RowId other = must(workspace->models().record(info));
        QVERIFY(other != inspected);
        QCOMPARE(must(workspace->models().list()).size(), size_t(2));
        QCOMPARE(must(workspace->models().get(inspected)).info.fingerprint, std::string("aa"));
    }

    void modelInUseIsNotRemoved()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace);
        VERIFY_FAILS(workspace->models().remove(scene.model), ErrorCode::InvalidArgument);
        VERIFY_FAILS(workspace->models().remove(99), ErrorCode::NotFound);
        ModelInfo unused = someModel("unused");
        VERIFY_OK(workspace->models().remove(must(workspace->models().record(unused))));
    }

    void pathNeedNotBeUtf8()
    {
        ScratchWorkspace workspace;
        ModelInfo info = someModel();
        info.path = "/models/caf\xe9.gguf";
        QCOMPARE(must(workspace->models().get(must(workspace->models().record(info)))).info.path, info.path);
    }

    void columnsKeepTheirSettingsAndOrder()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace);
        ColumnRow third;
        third.session = scene.session;
        third.systemPrompt = "Be brief.";
        third.device = "cuda:1";
        third.dtype = "bfloat16";
        third.id = must(workspace->sessions().addColumn(third));
        workspace.open();
        auto columns = must(workspace->sessions().columns(scene.session));
        QCOMPARE(columns.size(), size_t(3));
        QVERIFY(columns[0].options == someOptions());
        QVERIFY(!columns[0].systemPrompt);
        QCOMPARE(columns[2].systemPrompt.value(), std::string("Be brief."));
        QCOMPARE(columns[2].model, RowId(0));
        QCOMPARE(columns[2].position, 2);

        third.model = scene.model;
        third.systemPrompt.reset();
        VERIFY_OK(workspace->sessions().updateColumn(third));
        VERIFY_OK(workspace->sessions().orderColumns(scene.session, {third.id, scene.right, scene.left}));
        VERIFY_FAILS(workspace->sessions().orderColumns(scene.session, {third.id}), ErrorCode::InvalidArgument);
        VERIFY_FAILS(workspace->sessions().orderColumns(scene.session, {third.id, third.id, scene.left}),
                     ErrorCode::InvalidArgument);
        VERIFY_OK(workspace->sessions().removeColumn(scene.right));
        columns = must(workspace->sessions().columns(scene.session));
        QCOMPARE(columns.size(), size_t(2));
        QCOMPARE(columns[0].id, third.id);
        QCOMPARE(columns[0].model, scene.model);
        QVERIFY(!columns[0].systemPrompt);
        QCOMPARE(columns[1].id, scene.left);
        QCOMPARE(columns[1].position, 1);
        QCOMPARE(must(workspace->sessions().content(scene.session)).columns.back().id, scene.right);
    }

    void sessionsGoIntoTheBinAndBack()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace, "To be deleted");
        const RowId generation = must(workspace->generations().begin(scene.start(scene.left)));
        VERIFY_OK(workspace->generations().append(generation, someTokens(5)));
        auto &sessions = workspace->sessions();
        VERIFY_OK(sessions.setArchived(scene.session, true));
        QCOMPARE(must(sessions.count(SessionFilter::Archived)), 1);
        VERIFY_OK(sessions.moveToBin(scene.session));
        QCOMPARE(must(sessions.count(SessionFilter::Archived)), 0);
        QCOMPARE(must(sessions.count(SessionFilter::Deleted)), 1);
        QVERIFY(must(workspace->search().find("deleted")).empty());
        VERIFY_OK(sessions.restore(scene.session));
        VERIFY_OK(sessions.setArchived(scene.session, false));
        QCOMPARE(must(sessions.count(SessionFilter::Active)), 1);
        QCOMPARE(must(workspace->search().find("deleted")).size(), size_t(1));

        VERIFY_OK(sessions.moveToBin(scene.session));
        const Milliseconds now = must(sessions.get(scene.session)).deleted;
        QCOMPARE(must(sessions.emptyBin(now)), 0);
        QCOMPARE(must(sessions.emptyBin(now + 1)), 1);
        VERIFY_FAILS(sessions.get(scene.session), ErrorCode::NotFound);
        VERIFY_FAILS(workspace->generations().get(generation), ErrorCode::NotFound);
        QVERIFY(must(workspace->search().find("Why")).empty());
        QCOMPARE(must(workspace->check()), std::vector<std::string>());
    }

    void longConversationsCanBeRemoved()
    {
        ScratchWorkspace workspace;
        Scene scene(*workspace);
        TurnRow turn;
        turn.session = scene.session;
        turn.parent = scene.turn;
        must(workspace->connection().write([&]() -> Result<void> {
            for (int i = 0; i < 1200; ++i)
                turn.parent = must(workspace->sessions().addTurn(turn));
            return {};
        }));
        QCOMPARE(must(workspace->sessions().branch(turn.parent)).size(), size_t(1201));
        VERIFY_OK(workspace->sessions().moveToBin(scene.session));
        QCOMPARE(must(workspace->sessions().emptyBin(std::numeric_limits<Milliseconds>::max())), 1);
    }

    void listIsPagedNewestFirst()
    {
        ScratchWorkspace workspace;
        const RowId model = must(workspace->models().record(someModel()));
        ColumnRow column;
        column.model = model;
        must(workspace->connection().write([&]() -> Result<void> {
            for (int i = 0; i < 250; ++i)
                must(workspace->sessions().create("Session " + std::to_string(i), {column}));
            return {};
        }));
        std::vector<RowId> seen;
        SessionQuery query;
        for (;;) {
            const auto page = must(workspace->sessions().list(query));
            for (const SessionSummary &summary : page) {
                seen.push_back(summary.session.id);
                QCOMPARE(summary.models, std::vector<std::string>{"tiny"});
            }
            if (page.empty())
                break;
            query.offset += static_cast<std::int64_t>(page.size());
        }
        QCOMPARE(seen.size(), size_t(250));
        QVERIFY(std::is_sorted(seen.rbegin(), seen.rend())); // all of one time or nearly, newest first
        QTest::qSleep(2);
        VERIFY_OK(workspace->sessions().rename(seen.back(), "Changed"));
        query = {SessionFilter::Active, -5, 1};
        QCOMPARE(must(workspace->sessions().list(query)).front().session.title, std::string("Changed"));
    }

    void previewIsCutBetweenCharacters()
    {
        ScratchWorkspace workspace;
        std::string prompt;
        while (prompt.size() < 600)
            prompt += "€";
        const Scene scene(*workspace, "t", prompt);
        const auto page = must(workspace->sessions().list({}));
        QCOMPARE(page.front().firstPrompt.size(), size_t(198));
        QCOMPARE(page.front().turns, 1);
    }

    void turnsBranch()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace);
        auto &sessions = workspace->sessions();
        const RowId left = must(workspace->generations().begin(scene.start(scene.left)));
        const RowId right = must(workspace->generations().begin(scene.start(scene.right)));
        TurnRow next;
        next.session = scene.session;
        next.parent = scene.turn;
        next.prompt = "And then?";
        next.overrides = {{scene.right, "And then, briefly?"}};
        const RowId followUp = must(sessions.addTurn(next));

        TurnRow again; // the left column regenerated, the right one's answer shared
        again.session = scene.session;
        again.prompt = "Why?";
        again.answers = {{scene.right, right}};
        const RowId version = must(sessions.addTurn(again));
        GenerationStart start = scene.start(scene.left);
        start.turn = version;
        const RowId newLeft = must(workspace->generations().begin(start));

        workspace.open();
        auto &reopened = workspace->sessions();
        QCOMPARE(must(reopened.get(scene.session)).currentTurn, version);
        const auto branch = must(reopened.branch(followUp));
        QCOMPARE(branch.size(), size_t(2));
        QCOMPARE(branch[0].id, scene.turn);
        QCOMPARE(branch[0].answers, (std::vector<Answer>{{scene.left, left}, {scene.right, right}}));
        QCOMPARE(branch[1].promptFor(scene.right), std::string("And then, briefly?"));
        QCOMPARE(branch[1].promptFor(scene.left), std::string("And then?"));
        const auto versions = must(reopened.children(scene.session, 0));
        QCOMPARE(versions.size(), size_t(2));
        QCOMPARE(versions[1].answers, (std::vector<Answer>{{scene.left, newLeft}, {scene.right, right}}));
        VERIFY_OK(reopened.setCurrentTurn(scene.session, followUp));
        QCOMPARE(must(reopened.content(scene.session)).session.currentTurn, followUp);
        QCOMPARE(must(reopened.content(scene.session)).turns.size(), size_t(3));
        QCOMPARE(must(reopened.content(scene.session)).generations.size(), size_t(3));
    }

    void strangersAreRefused()
    {
        ScratchWorkspace workspace;
        const Scene one(*workspace), two(*workspace);
        const RowId answer = must(workspace->generations().begin(one.start(one.left)));
        auto &sessions = workspace->sessions();
        TurnRow turn;
        turn.session = 77;
        VERIFY_FAILS(sessions.addTurn(turn), ErrorCode::NotFound);
        turn.session = two.session;
        turn.parent = one.turn;
        VERIFY_FAILS(sessions.addTurn(turn), ErrorCode::InvalidArgument);
        turn.parent = 0;
        turn.overrides = {{one.left, "x"}};
        VERIFY_FAILS(sessions.addTurn(turn), ErrorCode::InvalidArgument);
        turn.overrides.clear();
        turn.answers = {{two.left, answer}};
        VERIFY_FAILS(sessions.addTurn(turn), ErrorCode::InvalidArgument);
        VERIFY_FAILS(sessions.setCurrentTurn(two.session, one.turn), ErrorCode::InvalidArgument);
        GenerationStart start = one.start(two.left);
        VERIFY_FAILS(workspace->generations().begin(start), ErrorCode::NotFound);
        start = one.start(one.left);
        start.model = 55;
        VERIFY_FAILS(workspace->generations().begin(start), ErrorCode::NotFound);
        QCOMPARE(must(sessions.content(two.session)).turns.size(), size_t(1));
    }

    void generationKeepsEverything()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace);
        const RowId id = must(workspace->generations().begin(scene.start(scene.left)));
        QCOMPARE(QString(name(must(workspace->generations().get(id)).status)), QString("running"));
        const auto tokens = someTokens(9);
        GenerationOutcome outcome{GenerationStatus::Cancelled, "cancelled", "", "cut text", 0.25, 1.5, 0.3, 12, 4096};
        VERIFY_OK(workspace->generations().finish(id, outcome, tokens));
        VERIFY_FAILS(workspace->generations().append(id, tokens), ErrorCode::InvalidArgument);
        workspace.open();
        const GenerationRow row = must(workspace->generations().get(id));
        QVERIFY(row.status == GenerationStatus::Cancelled);
        QVERIFY(row.options == someOptions());
        QCOMPARE(row.modelFingerprint, someModel().fingerprint);
        QCOMPARE(row.device + row.dtype + row.build, std::string("cpufloat320.1.0"));
        QCOMPARE(row.stopReason, std::string("cancelled"));
        QCOMPARE(row.text, std::string("cut text"));
        QCOMPARE(row.promptTokens, 3);
        QCOMPARE(row.tokens, 9);
        QCOMPARE(row.prefillSeconds, 0.25);
        QCOMPARE(row.decodeSeconds, 1.5);
        QCOMPARE(row.firstTokenSeconds, 0.3);
        QCOMPARE(row.reusedTokens, 12);
        QCOMPARE(row.stateBytes, 4096u);
        QVERIFY(row.started > 0 && row.finished >= row.started);
        QVERIFY(must(workspace->generations().tokens(id)) == tokens);
        QCOMPARE(must(workspace->generations().promptIds(id)), (std::vector<std::int32_t>{1, 2, 3}));
    }

    void generationRunsOn()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace);
        const RowId id = must(workspace->generations().begin(scene.start(scene.left)));
        VERIFY_FAILS(workspace->generations().resume(id), ErrorCode::InvalidArgument);
        VERIFY_FAILS(workspace->generations().resume(99), ErrorCode::NotFound);
        const auto tokens = someTokens(10);
        VERIFY_OK(workspace->generations().finish(id, {}, std::span(tokens).first(4)));
        VERIFY_OK(workspace->generations().resume(id));
        VERIFY_OK(workspace->generations().finish(id, {}, std::span(tokens).subspan(4)));
        QVERIFY(must(workspace->generations().tokens(id)) == tokens);
    }

    void runningGenerationsBecomeInterrupted()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace);
        const RowId id = must(workspace->generations().begin(scene.start(scene.left)));
        const auto tokens = someTokens(6);
        VERIFY_OK(workspace->generations().append(id, tokens));
        QVERIFY(must(workspace->search().find("word3")).empty());
        workspace.open();
        QCOMPARE(workspace->interruptedGenerations(), 1);
        const GenerationRow row = must(workspace->generations().get(id));
        QVERIFY(row.status == GenerationStatus::Interrupted);
        QVERIFY(row.finished > 0);
        QVERIFY(must(workspace->generations().tokens(id)) == tokens);
        QCOMPARE(must(workspace->search().find("word4")).size(), size_t(1));
        workspace.open();
        QCOMPARE(workspace->interruptedGenerations(), 0);
    }

    void stateNormsJoinUp()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace);
        const RowId id = must(workspace->generations().begin(scene.start(scene.left)));
        QVERIFY(must(workspace->probes().heads(id, HeadQuantity::StateNorm)).values.empty());
        const float nan = std::numeric_limits<float>::quiet_NaN();
        const HeadFrame first{2, 2, 1, 2, {1, nan, 3, 4}}, second{5, 1, 1, 2, {5, 6}};
        const std::vector<ProbeChunk> chunks{toChunk(second), toChunk(first)};
        VERIFY_OK(workspace->generations().append(id, {}, chunks));
        workspace.open();
        const HeadFrame all = must(workspace->probes().heads(id, HeadQuantity::StateNorm));
        QCOMPARE(all.firstToken, 2);
        QCOMPARE(all.tokens, 4);
        QCOMPARE(all.values.size(), size_t(8));
        QCOMPARE(all.values[0], 1.f);
        QVERIFY(std::isnan(all.values[1]) && std::isnan(all.values[4]) && std::isnan(all.values[5]));
        QCOMPARE(all.values[7], 6.f);
        QCOMPARE(must(workspace->probes().kinds(id)), std::vector<std::string>{kindOf(HeadQuantity::StateNorm)});
    }

    void measurementsMustFitTheirShape()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace);
        const RowId id = must(workspace->generations().begin(scene.start(scene.left)));
        auto &probes = workspace->probes();
        VERIFY_OK(probes.append(id, {"entropy", 0, 2, {3}, {1, 2, 3, 4, 5, 6}}));
        VERIFY_OK(probes.append(id, {"entropy", 0, 0, {3}, {}}));
        VERIFY_FAILS(probes.append(id, {"entropy", 0, 2, {3}, {1}}), ErrorCode::InvalidArgument);
        VERIFY_FAILS(probes.append(id, {"entropy", 0, -1, {-1}, {1}}), ErrorCode::InvalidArgument);
        VERIFY_FAILS(probes.append(id, {"entropy", 0, 1LL << 62, {1LL << 62}, {}}), ErrorCode::InvalidArgument);
        VERIFY_FAILS(probes.append(99, {"entropy", 0, 1, {1}, {1}}), ErrorCode::NotFound);
        QCOMPARE(must(probes.chunks(id, "entropy")).size(), size_t(2));
    }

    void comparisonsComeBack()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace);
        const RowId left = must(workspace->generations().begin(scene.start(scene.left)));
        const RowId right = must(workspace->generations().begin(scene.start(scene.right)));
        StoredComparison comparison{left, right, {4, 5, 6}, {{0.5f, 0}, {1, 2}, {3, 4}, {1, 0}}, 0};
        VERIFY_OK(workspace->generations().saveComparison(comparison));
        comparison.values.kl[1] = 7;
        VERIFY_OK(workspace->generations().saveComparison(comparison));
        workspace.open();
        const auto read = must(workspace->generations().comparison(left, right));
        QVERIFY(read);
        QCOMPARE(read->ids, comparison.ids);
        QCOMPARE(read->values.kl, comparison.values.kl);
        QCOMPARE(read->values.nllFirst, comparison.values.nllFirst);
        QCOMPARE(read->values.nllSecond, comparison.values.nllSecond);
        QCOMPARE(read->values.sameTop, comparison.values.sameTop);
        QVERIFY(!must(workspace->generations().comparison(right, left)));
        comparison.second = 99;
        VERIFY_FAILS(workspace->generations().saveComparison(comparison), ErrorCode::NotFound);
    }

    void settingsAndBlobs()
    {
        ScratchWorkspace workspace;
        auto &settings = workspace->settings();
        VERIFY_OK(settings.setValue("preset/a", "1"));
        VERIFY_OK(settings.setValue("preset/b", std::string("2\0x", 3)));
        VERIFY_OK(settings.setValue("presets", "no"));
        VERIFY_OK(settings.setValue("preset/a", "3"));
        QCOMPARE(must(settings.value("preset/a")).value(), std::string("3"));
        QVERIFY(!must(settings.value("nothing")));
        const auto presets = must(settings.values("preset/"));
        QCOMPARE(presets.size(), size_t(2));
        QCOMPARE(presets.at("preset/b").size(), size_t(3));
        VERIFY_OK(settings.remove("preset/a"));
        QVERIFY(!must(settings.value("preset/a")));

        const std::vector<std::byte> bytes{std::byte(0), std::byte(255), std::byte(7)};
        const std::string hash = must(settings.putBlob(bytes, "image/png"));
        QCOMPARE(must(settings.putBlob(bytes, "image/png")), hash);
        QVERIFY(must(settings.blob(hash)) == bytes);
        QVERIFY(must(settings.blob(must(settings.putBlob({}, "text/plain")))).empty());
        VERIFY_OK(settings.removeBlob(hash));
        VERIFY_FAILS(settings.blob(hash), ErrorCode::NotFound);
    }

    void textMayHoldAnything()
    {
        ScratchWorkspace workspace;
        std::string prompt("nul \0 end \xff\xfe lone \xed\xa0\x80", 22);
        prompt += std::string(1 << 20, 'x');
        const Scene scene(*workspace, std::string("t\0itle", 6), prompt);
        workspace.open();
        QVERIFY(must(workspace->sessions().turn(scene.turn)).prompt == prompt);
        QCOMPARE(must(workspace->sessions().get(scene.session)).title.size(), size_t(6));
        QCOMPARE(must(workspace->sessions().list({})).size(), size_t(1));
    }

    void backupIsAWorkspace()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace);
        VERIFY_OK(workspace->backupTo(workspace.path("copy.db")));
        VERIFY_FAILS(workspace->backupTo(workspace.path("copy.db")), ErrorCode::InvalidArgument);
        VERIFY_FAILS(workspace->backupTo(workspace.path("no/folder.db")), ErrorCode::Io);
        const auto copy = must(Workspace::open(workspace.path("copy.db")));
        QCOMPARE(must(copy->sessions().get(scene.session)).title, std::string("A session"));
        QCOMPARE(must(copy->check()), std::vector<std::string>());
    }
};

QTEST_GUILESS_MAIN(TestWorkspace)
#include "tst_workspace.moc"
