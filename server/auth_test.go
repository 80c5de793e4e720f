package server

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"deepstream-fast/auth"
	"deepstream-fast/config"
	"deepstream-fast/fuzz/peer"
)

// loadConfig reads text as a configuration on a free port of loopback, in a folder with the given files.
func loadConfig(t *testing.T, dir, text string, files map[string]string) *config.Config {
	t.Helper()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "conf.toml")
	text = "httpServer = { options = { host = \"127.0.0.1\", port = 0, loops = 1 } }\n" + text
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// logIn opens a connection and returns the answer to one login, and the connection.
func logIn(t *testing.T, s *Server, credentials string) (string, *peer.Client) {
	t.Helper()
	c, err := peer.Dial(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send("CONNECTION CHALLENGE", fmt.Sprintf("AUTH REQUEST data=`%s`", credentials)); err != nil {
		t.Fatal(err)
	}
	lines, err := c.Await("AUTH")
	if err != nil {
		t.Fatalf("%v after %q", err, lines)
	}
	return lines[len(lines)-1], c
}

const fileAuth = "[[auth]]\ntype = \"file\"\noptions = { users = \"fileLoad(users.yml)\" }\n"

// Users can be replaced while clients are connected; a table with a mistake changes nothing, and says where.
func TestReloadAuth(t *testing.T) {
	dir := t.TempDir()
	s := start(t, loadConfig(t, dir, fileAuth+"[storage]\ntype = \"none\"\n", map[string]string{"users.yml": "alice: { password: old }\n"}), silent)
	check := func(what, password, want string) {
		t.Helper()
		got, c := logIn(t, s, fmt.Sprintf(`{"username":"alice","password":%q}`, password))
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
		c.Abort()
	}
	answer, connected := logIn(t, s, `{"username":"alice","password":"old"}`)
	if answer != `AUTH AUTH_SUCCESSFUL data="null"` {
		t.Fatalf("got %s", answer)
	}
	apply, err := s.auth.prepare(loadConfig(t, dir, fileAuth, map[string]string{"users.yml": "alice: { password: new }\n"}))
	if err != nil {
		t.Fatal(err)
	}
	apply()
	check("the old password", "old", "AUTH AUTH_UNSUCCESSFUL")
	check("the new one", "new", "AUTH AUTH_SUCCESSFUL")

	if err := os.WriteFile(filepath.Join(dir, "users.yml"), []byte("bob: { password: x }\nalice: { password: 7 }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = config.Load(filepath.Join(dir, "conf.toml"), os.LookupEnv)
	if want := "users.yml:2:20: auth[0].options.users.alice.password: expected a text"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a broken table: %v, want %q", err, want)
	}
	broken := config.Default()
	broken.Auth = []config.Auth{{Type: "file"}}
	if _, err := s.auth.prepare(&broken); err == nil || !strings.Contains(err.Error(), "auth[0]") {
		t.Errorf("handlers that can't be built: %v", err)
	}
	check("after failed reloads", "new", "AUTH AUTH_SUCCESSFUL")
	if lines, err := connected.Fence(); err != nil || len(lines) > 0 {
		t.Errorf("who was logged in noticed: %q, %v", lines, err)
	}
	connected.Abort()

	stats := s.AuthStats()
	if stats.Successes != 3 || stats.Failures != 1 || stats.Pending != 0 || stats.Types[1] != (auth.TypeStats{Type: "file", Valid: 3, Refused: 1}) {
		t.Errorf("counted %+v", stats)
	}
}

// Users who register are records at once, also for a home that knew the name to be missing, and a
// deleted one can come again.
func TestUsersAreRecords(t *testing.T) {
	text := "[[auth]]\ntype = \"storage\"\noptions = { table = \"Users\", createUser = true, hash = \"sha256\", iterations = 1, keyLength = 20 }\n"
	s := start(t, loadConfig(t, t.TempDir(), text, nil), silent)
	answer, alice := logIn(t, s, `{"username":"alice","password":"a"}`)
	if !strings.HasPrefix(answer, "AUTH AUTH_SUCCESSFUL") {
		t.Fatal(answer)
	}
	defer alice.Abort()
	head := func(want string) {
		t.Helper()
		if err := alice.Send("RECORD HEAD name=Users/bob"); err != nil {
			t.Fatal(err)
		}
		lines, err := alice.Await("RECORD")
		if err != nil || lines[len(lines)-1] != "RECORD HEAD_RESPONSE name=\"Users/bob\" version="+want {
			t.Fatalf("got %q, %v, want version %s", lines, err, want)
		}
	}
	head("-1")
	register := func() {
		t.Helper()
		answer, bob := logIn(t, s, `{"username":"bob","password":"b"}`)
		if !strings.Contains(answer, `"id\":`) && !strings.Contains(answer, `"id":`) {
			t.Fatal(answer)
		}
		bob.Abort()
	}
	register()
	head("1")
	if err := alice.Send("RECORD DELETE name=Users/bob"); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Await("RECORD DELETE_SUCCESS"); err != nil {
		t.Fatal(err)
	}
	register()
	head("1")
}

// Stopping does not wait for a webhook that never answers.
func TestStopWithALoginUnderWay(t *testing.T) {
	hook := silentListener(t)
	text := fmt.Sprintf("[storage]\ntype = \"none\"\n[[auth]]\ntype = \"http\"\noptions = { endpointUrl = \"http://%s/\", permittedStatusCodes = [200], requestTimeout = \"1h\", retryStatusCodes = [], retryAttempts = 5, retryInterval = \"1h\" }\n", hook.Addr())
	s := start(t, loadConfig(t, t.TempDir(), text, nil), silent)
	c, err := peer.Dial(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Abort()
	if err := c.Send("CONNECTION CHALLENGE", "AUTH REQUEST data={}"); err != nil {
		t.Fatal(err)
	}
	deadline, tick := time.Now().Add(peer.Patience), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.AuthStats().Webhooks.Running != 1 {
		if <-tick.C; time.Now().After(deadline) {
			t.Fatal("the login never began")
		}
	}
	// startServer's cleanup stops the server, and fails if that takes longer than peer.Patience.
}

// silentListener takes connections and says nothing.
func silentListener(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}
