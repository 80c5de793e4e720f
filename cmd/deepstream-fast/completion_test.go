package main

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// invoke returns what the command line prints.
func invoke(t *testing.T, args ...string) string {
	t.Helper()
	var stdout bytes.Buffer
	root := newRoot(&stdout, io.Discard)
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return stdout.String()
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		script := invoke(t, "completion", shell)
		if !strings.Contains(script, "deepstream-fast") || !strings.Contains(script, "__complete") {
			t.Errorf("%s: not a completion script:\n%.200s", shell, script)
		}
		if shell != "bash" {
			continue
		}
		check := exec.Command("bash", "-n")
		check.Stdin = strings.NewReader(script)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("bash does not read it: %v\n%s", err, out)
		}
	}
}

// What the scripts ask the binary for.
func TestCompletions(t *testing.T) {
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"__complete ", []string{"start", "reload", "health", "convert", "backup", "check", "info", "version", "completion"}},
		{"__complete start --log-level ", []string{"debug", "info", "warn", "error", "off"}},
		{"__complete --log-format ", []string{"text", "json"}},
		{"__complete reload --config ", []string{"toml", "yml", "yaml", "json"}},
	} {
		args := strings.Split(tt.args, " ")
		got := map[string]bool{}
		for _, line := range strings.Split(invoke(t, args...), "\n") {
			word, _, _ := strings.Cut(line, "\t")
			got[word] = true
		}
		for _, want := range tt.want {
			if !got[want] {
				t.Errorf("%q does not offer %q", tt.args, want)
			}
		}
	}
}
