package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"deepstream-fast/config"
)

const root = "../.."

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// unit returns the values of a unit file by key, the last one of each.
func unit(t *testing.T, path string) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, line := range strings.Split(readFile(t, path), "\n") {
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			values[key] = value
		}
	}
	return values
}

// understood fails unless the command line takes args.
func understood(t *testing.T, args []string) {
	t.Helper()
	cmd, rest, err := newRoot(io.Discard, io.Discard).Find(args)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%q: %v", args, err)
	}
	if left := cmd.Flags().Args(); len(left) > 0 {
		t.Errorf("%q: nobody reads %q", args, left)
	}
	if path := cmd.Flag("config").Value.String(); path != "/etc/deepstream/conf.toml" {
		t.Errorf("%q: configuration in %q", args, path)
	}
}

func TestServiceUnitFitsTheServer(t *testing.T) {
	service, socket := unit(t, "packaging/systemd/deepstream-fast.service"), unit(t, "packaging/systemd/deepstream-fast.socket")
	understood(t, strings.Fields(service["ExecStart"])[1:])
	cfg := config.Default()
	stop, err := time.ParseDuration(service["TimeoutStopSec"])
	if err != nil || stop <= cfg.ShutdownTimeout.Std() {
		t.Errorf("TimeoutStopSec %s, %v: the server takes up to %s", service["TimeoutStopSec"], err, cfg.ShutdownTimeout)
	}
	for key, want := range map[string]string{"Type": "notify", "KillMode": "mixed", "Also": "deepstream-fast.socket", "ExecReload": "/bin/kill -HUP $MAINPID"} {
		if service[key] != want {
			t.Errorf("%s=%s, want %s", key, service[key], want)
		}
	}
	if got := socket["ListenStream"]; got != "6020" || cfg.HTTPServer.Options.Port != 6020 {
		t.Errorf("the socket unit listens on %s, the server on %d", got, cfg.HTTPServer.Options.Port)
	}
}

func TestImageFitsTheServer(t *testing.T) {
	text := readFile(t, "Dockerfile")
	found := 0
	for _, m := range regexp.MustCompile(`(?m)^\s*CMD (\[.*\])$`).FindAllStringSubmatch(text, -1) {
		var args []string
		if err := json.Unmarshal([]byte(m[1]), &args); err != nil {
			t.Fatalf("%s: %v", m[1], err)
		}
		if args[0] == "/usr/bin/deepstream-fast" {
			args = args[1:]
		}
		understood(t, args)
		found++
	}
	if found != 2 {
		t.Errorf("%d commands, want the start and the health check", found)
	}
	for _, want := range []string{"CGO_ENABLED=0", "FROM scratch", "USER 65532:65532", "ENV STATE_DIRECTORY=/var/lib/deepstream-fast", "VOLUME /var/lib/deepstream-fast"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// The configuration that is installed keeps data where the unit and the image have a place for it.
func TestInstalledConfiguration(t *testing.T) {
	for variable, want := range map[string]string{"": "data", "/var/lib/deepstream-fast": "/var/lib/deepstream-fast"} {
		c, err := config.Load(filepath.Join(root, "packaging/conf.toml"), func(string) (string, bool) { return variable, variable != "" })
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Storage.Options.Path; got != want || len(c.Warnings) > 0 {
			t.Errorf("STATE_DIRECTORY=%q: path %q, warnings %v", variable, got, c.Warnings)
		}
	}
}
