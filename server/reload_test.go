package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"deepstream-fast/config"
)

// startServer starts a server that keeps nothing on a free port of the loopback interface.
func startServer(t *testing.T, change func(*config.Config)) *Server {
	t.Helper()
	cfg := config.Default()
	cfg.HTTPServer.Options.Host, cfg.HTTPServer.Options.Port = "127.0.0.1", 0
	cfg.Storage.Type = "none"
	if change != nil {
		change(&cfg)
	}
	s, err := Start(&cfg, silent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// reloadBench is a server with a Reloader whose file is a string.
type reloadBench struct {
	*Reloader
	out, err sink
	dir      string
	applied  []string // what the extra part was given
	fail     error    // of its prepare
	external []string
	watch    bool
}

func newReloadBench(t *testing.T, text string) *reloadBench {
	t.Helper()
	b := &reloadBench{dir: t.TempDir()}
	b.write(t, "conf.toml", text)
	load := func() (*config.Config, error) {
		return config.Load(filepath.Join(b.dir, "conf.toml"), func(string) (string, bool) { return "", false })
	}
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	log := OpenLog(cfg, &b.out, &b.err, false)
	t.Cleanup(log.Close)
	b.Reloader = NewReloader(startServer(t, nil), cfg, log, nil, load)
	rules := part{
		name: "rules", keys: []string{"permission.options.permissions"},
		external: func(*config.Config) []string { return b.external },
		watched:  func(c *config.Config) bool { return b.watch },
		prepare: func(next *config.Config) (func(), error) {
			text := "none"
			if m, ok := next.Permission.Options.Permissions.Value.(map[string]any); ok {
				text = m["a"].(string)
			}
			return func() { b.applied = append(b.applied, text) }, b.fail
		},
	}
	b.table = append(b.table, rules)
	b.Reloader.applied[rules.name] = cfg
	return b
}

func (b *reloadBench) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// logged returns what was logged, all of it.
func (b *reloadBench) logged() string {
	b.log.Close()
	return b.out.String() + b.err.String()
}

func (b *reloadBench) reload(t *testing.T, applied, restart string) {
	t.Helper()
	c, err := b.Reload()
	if got := strings.Join(c.Applied, " "); err != nil || got != applied {
		t.Errorf("applied %q, %v, want %q", got, err, applied)
	}
	if got := strings.Join(c.Restart, " "); got != restart {
		t.Errorf("needs a restart: %q, want %q", got, restart)
	}
}

func TestReloadAppliesWhatItCanAndNamesTheRest(t *testing.T) {
	b := newReloadBench(t, "")
	b.reload(t, "", "")
	b.write(t, "conf.toml", "logLevel='DEBUG'\n[rpc]\nackTimeout=5\n")
	b.reload(t, "logLevel", "rpc.ackTimeout")
	b.log.Debug("visible")
	b.reload(t, "", "rpc.ackTimeout") // still waits for the restart
	b.write(t, "conf.toml", "[logger.options]\nlogLevel='ERROR'\n")
	b.reload(t, "logLevel logger.options.logLevel", "")
	b.log.Warn("invisible")
	got := b.logged()
	for _, want := range []string{"visible", "in effect now: logLevel\n", "needs a restart: rpc.ackTimeout\n", "nothing to put into effect"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(got, "invisible") {
		t.Errorf("a warning at level ERROR:\n%s", got)
	}
}

// A file that is wrong changes nothing, and the log says where and why.
func TestABadFileChangesNothing(t *testing.T) {
	b := newReloadBench(t, "logLevel='ERROR'")
	b.write(t, "conf.toml", "logLevel='DEBUG'\n[rpc]\nackTimeuot=5\n")
	if _, err := b.Reload(); err == nil {
		t.Fatal("accepted")
	}
	b.log.Debug("invisible")
	got := b.logged()
	for _, want := range []string{"CONFIG_ERROR | reload: nothing has changed: ", "conf.toml:3:1: unknown key \"ackTimeuot\" in rpc; did you mean \"ackTimeout\"?"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(got, "invisible") {
		t.Error("the log level has changed")
	}
}

// All parts are prepared before the first is applied.
func TestReloadIsAllOrNothing(t *testing.T) {
	b := newReloadBench(t, "logLevel='ERROR'")
	b.write(t, "conf.toml", "logLevel='DEBUG'\n[permission.options.permissions]\na='new'\n")
	b.fail = errors.New("line 3: what is this?")
	if _, err := b.Reload(); err == nil || err.Error() != "rules: line 3: what is this?" {
		t.Errorf("got %v", err)
	}
	b.log.Debug("invisible")
	b.fail = nil
	b.reload(t, "logLevel permission.options.permissions", "")
	if !slices.Equal(b.applied, []string{"new"}) {
		t.Errorf("applied %q", b.applied)
	}
	if got := b.logged(); strings.Contains(got, "invisible") {
		t.Errorf("applied half:\n%s", got)
	}
}

// The content of a file that the configuration names is part of it.
func TestReloadReadsReferencedFiles(t *testing.T) {
	b := newReloadBench(t, "")
	b.write(t, "rules.yml", "a: one\n")
	b.write(t, "conf.toml", "[permission.options]\npermissions='fileLoad(rules.yml)'\n")
	b.reload(t, "permission.options.permissions", "")
	b.write(t, "rules.yml", "a: two\n")
	b.reload(t, "permission.options.permissions", "")
	b.reload(t, "", "")
	b.external = []string{"a file"} // reads something by itself
	b.reload(t, "", "")
	if want := []string{"one", "two", "two"}; !slices.Equal(b.applied, want) {
		t.Errorf("applied %q, want %q", b.applied, want)
	}
}

func TestNoReloadOfAServerThatStops(t *testing.T) {
	b := newReloadBench(t, "")
	b.server.stopping.Store(true)
	if _, err := b.Reload(); !errors.Is(err, errStopping) {
		t.Errorf("got %v", err)
	}
	b.reloadPart("rules")
	if b.applied != nil {
		t.Errorf("applied %q", b.applied)
	}
}

// A watched file is reloaded when it changes, and nothing beside it is.
func TestWatchedFileIsReloaded(t *testing.T) {
	b := newReloadBench(t, "")
	b.watch = true
	b.write(t, "rules.yml", "a: one\n")
	b.write(t, "conf.toml", "[permission.options]\npermissions='fileLoad(rules.yml)'\n")
	b.reload(t, "permission.options.permissions", "")
	b.write(t, "conf.toml", "logLevel='DEBUG'\n[permission.options]\npermissions='fileLoad(rules.yml)'\n")

	ctx, cancel := context.WithCancel(context.Background())
	tick, ended := make(chan time.Time), make(chan struct{})
	go func() {
		defer close(ended)
		watchFiles(ctx, tick, b.watched, b.reloadPart)
	}()
	round := func() { tick <- time.Time{} } // when it returns, the round before is over
	change := func(text string) {
		b.write(t, "rules.yml", text)
		for range 4 { // seen, settled, and over
			round()
		}
	}
	round()
	round()
	change("a: two, and longer\n")
	change("a: 'not closed\n")
	cancel()
	<-ended
	if want := []string{"one", "two, and longer"}; !slices.Equal(b.applied, want) {
		t.Errorf("applied %q, want %q", b.applied, want)
	}
	b.log.Debug("invisible")
	got := b.logged()
	if strings.Contains(got, "invisible") || strings.Count(got, "in effect now: permission.options.permissions\n") != 2 || strings.Count(got, "CONFIG_ERROR") != 1 {
		t.Errorf("logged\n%s", got)
	}
}

func TestLookReportsFilesThatChanged(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	put := func(name, text string) {
		if err := os.WriteFile(path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "1")
	put("b", "1")
	files := map[string][]string{"x": {path("a"), path("b")}, "y": {path("b")}, "z": {path("later")}}
	var changed []string
	seen := look(files, nil, func(g string) { changed = append(changed, g) })
	round := func(what string, want ...string) {
		t.Helper()
		changed = nil
		note := func(g string) { changed = append(changed, g) }
		if seen = look(files, seen, note); len(changed) > 0 {
			t.Errorf("%s: %q before it has settled", what, changed)
		}
		if seen = look(files, seen, note); !slices.Equal(changed, want) {
			t.Errorf("%s: %q, want %q", what, changed, want)
		}
	}
	round("nothing")
	put("b", "longer")
	round("a file of two groups", "x", "y")
	put("new", "1")
	if err := os.Chtimes(path("new"), time.Time{}, seen[path("a")].last.modified); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path("new"), path("a")); err != nil {
		t.Fatal(err)
	}
	round("another file of the same size and time in its place", "x")
	put("later", "")
	round("a file that comes", "z")
	_ = os.Remove(path("later"))
	round("and goes", "z")
	round("nothing again")
	many := map[string][]string{}
	for i := range 2 * watchFilesMax {
		many["m"] = append(many["m"], path(strings.Repeat("n", i%200)+string(rune('a'+i%26))+strings.Repeat("o", i/26)))
	}
	if n := len(look(many, nil, func(string) {})); n != watchFilesMax {
		t.Errorf("%d files watched, the limit is %d", n, watchFilesMax)
	}
}

func TestReloadThroughTheControlSocket(t *testing.T) {
	b := newReloadBench(t, "logLevel='ERROR'")
	cfg := folderConfig(t)
	if _, err := AskReload(cfg); err == nil {
		t.Error("nobody runs")
	}
	st := open(t, cfg)
	defer st.close()
	if _, err := AskReload(cfg); err == nil || !strings.Contains(err.Error(), "not started") {
		t.Errorf("too early: %v", err)
	}
	(&Server{store: st}).AnswerReload(b.Reloader)
	b.write(t, "conf.toml", "logLevel='DEBUG'\nshutdownTimeout='20s'")
	c, err := AskReload(cfg)
	if err != nil || strings.Join(c.Applied, " ") != "logLevel" || strings.Join(c.Restart, " ") != "shutdownTimeout" {
		t.Errorf("%+v, %v", c, err)
	}
	b.write(t, "conf.toml", "logLevel='x'")
	if _, err := AskReload(cfg); err == nil || !strings.Contains(err.Error(), "conf.toml:1:") {
		t.Errorf("a bad file: %v", err)
	}
	cfg.Storage.Type = "none"
	if _, err := AskReload(cfg); err == nil || !strings.Contains(err.Error(), "SIGHUP") {
		t.Errorf("without a folder: %v", err)
	}
}
