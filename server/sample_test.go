package server

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"deepstream-fast/config"
	"deepstream-fast/fuzz/peer"
	"deepstream-fast/internal/testkit/testcert"
)

const guarded = fileAuth + `
[storage]
type = "none"
[monitoringServer]
port = 0
[[connectionEndpoints]]
type = "ws-binary"
options = { maxSubscriptions = 1 }
[[connectionEndpoints]]
type = "http"
[permission]
type = "config"
options = { permissions = "fileLoad(permissions.yml)" }
`

var guardedFiles = map[string]string{
	"users.yml": "alice: { password: right }\n",
	"permissions.yml": `
presence: { "*": { allow: true } }
record: { "*": { create: true, read: true, write: true, delete: true, listen: true, notify: true } }
rpc: { "*": { provide: true, request: true } }
event:
  "*": { publish: true, subscribe: true, listen: true }
  "secret": { publish: false, subscribe: true, listen: true }
`,
}

// wantMetrics waits until the listener says all that.
func wantMetrics(t *testing.T, s *Server, lines ...string) {
	t.Helper()
	for _, line := range lines {
		eventually(t, line, func() bool {
			_, text := ask(t, s, "/metrics")
			return strings.Contains(text, "\n"+line+"\n")
		})
	}
}

// What every part counts is what the listener shows, once.
func TestMetricsOfTheDoors(t *testing.T) {
	dir := t.TempDir()
	cfg := loadConfig(t, dir, guarded, guardedFiles)
	s := start(t, cfg, silent)
	_, in := logIn(t, s, `{"username":"alice","password":"right"}`)
	t.Cleanup(in.Abort)
	_, out := logIn(t, s, `{"username":"alice","password":"wrong"}`)
	t.Cleanup(out.Abort)
	tell(t, in, "EVENT SUBSCRIBE names=[a b] correlationId=1", "EVENT EMIT name=secret", "EVENT EMIT name=a")
	for _, password := range []string{"right", "wrong", "worse"} {
		resp, err := http.Post(fmt.Sprintf("http://%s/api/auth", s.Addr()), "application/json", strings.NewReader(`{"username":"alice","password":"`+password+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	malformed(t, s)
	wantMetrics(t, s,
		`deepstream_logins_total{endpoint="websocket",result="allowed"} 1`, `deepstream_logins_total{endpoint="websocket",result="declined"} 1`,
		`deepstream_logins_total{endpoint="http",result="allowed"} 1`, `deepstream_logins_total{endpoint="http",result="declined"} 2`,
		`deepstream_auth_judgements_total{result="valid",type="file"} 2`, `deepstream_auth_judgements_total{result="refused",type="file"} 3`,
		`deepstream_auth_pending 0`, `deepstream_auth_queue{pool="hashing"} 0`,
		`deepstream_client_limits_total{limit="subscriptions"} 1`, `deepstream_permission_refusals_total{reason="denied"} 1`,
		`deepstream_names_denied_total{action="EMIT",topic="EVENT"} 1`,
		`deepstream_http_answers_total{class="2xx"} 1`, `deepstream_http_answers_total{class="4xx"} 2`,
		`deepstream_http_requests_refused_total{reason="login"} 2`, `deepstream_http_flaws_total{flaw="field_name"} 1`,
		`deepstream_http_requests_in_flight 0`, `deepstream_draining 0`, `deepstream_log_lines_dropped_total 0`,
	)
	if _, text := ask(t, s, "/metrics"); strings.Contains(text, "deepstream_tls_certificate_expiry") {
		t.Error("a server without TLS has a certificate")
	}
}

// malformed sends a request that two servers could understand differently.
func malformed(t *testing.T, s *Server) {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost : h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(peer.Patience))
	if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400") {
		t.Fatalf("%q, %v", answer, err)
	}
}

// Reloads are told apart by their result, rules are read while they are replaced, and the log tells what
// it has lost.
func TestMetricsOfReloadsAndTheLog(t *testing.T) {
	dir := t.TempDir()
	cfg := loadConfig(t, dir, guarded, guardedFiles)
	s := start(t, cfg, silent)
	log := OpenLog(cfg, io.Discard, io.Discard, false)
	s.WatchLog(log)
	r := NewReloader(s, cfg, log, nil, func() (*config.Config, error) {
		return config.Load(filepath.Join(dir, "conf.toml"), os.LookupEnv)
	})
	rules := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "permissions.yml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rules(strings.Replace(guardedFiles["permissions.yml"], `"secret"`, `"other"`, 1))
	if _, err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	rules("event: 1\n")
	for range 2 {
		if _, err := r.Reload(); err == nil {
			t.Fatal("broken rules came into force")
		}
	}
	log.Close()
	for range 3 {
		log.Info("nobody writes this any more")
	}
	wantMetrics(t, s,
		`deepstream_reloads_total{result="done"} 1`, `deepstream_reloads_total{result="refused"} 2`,
		`deepstream_permission_changes_total 1`, `deepstream_log_lines_dropped_total 3`)
}

func TestMetricsOfTLS(t *testing.T) {
	root := testcert.Root("root")
	certificate := root.Issue("server", 24*time.Hour)
	f := folder{t, t.TempDir()}
	f.write("cert.pem", certificate.CertPEM())
	f.write("key.pem", certificate.KeyPEM())
	cfg := f.load(byName)
	cfg.MonitoringServer.Port = 0
	s := start(t, cfg, silent)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: root.Pool()}}}
	resp, err := client.Get("https://" + s.Addr().String() + "/health-check")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	client.CloseIdleConnections()
	if plain, err := http.Get("http://" + s.Addr().String() + "/"); err != nil || plain.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP: %+v, %v", plain, err)
	}
	wantMetrics(t, s,
		`deepstream_tls_handshakes_total{result="full"} 1`, `deepstream_wrong_protocol_total 1`,
		`deepstream_connections_closed_total{reason="tls_handshake"} 1`,
		fmt.Sprint("deepstream_tls_certificate_expiry_timestamp_seconds ", float64(s.CertificateExpires().Unix())))
}
