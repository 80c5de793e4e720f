package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"deepstream-fast/auth/password"
)

// runHash runs the command and returns what it prints.
func runHash(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, complaints strings.Builder
	cmd := newHash(strings.NewReader(stdin), &out, &complaints)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(args)
	err = cmd.Execute()
	return out.String(), complaints.String(), err
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "conf.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHashMakesWhatTheServerChecks(t *testing.T) {
	official := configFile(t, "[[auth]]\ntype = \"none\"\n[[auth]]\ntype = \"file\"\noptions = { users = { a = { password = \"x\" } }, hash = \"sha256\", iterations = 10, keyLength = 20 }\n")
	records := configFile(t, "[[auth]]\ntype = \"storage\"\noptions = { table = \"Users\" }\n")
	for _, tt := range []struct {
		name, stdin string
		args        []string
		scheme      password.Scheme
		argon       bool
	}{
		{"stdin", "secret\n", nil, password.Scheme{}, true},
		{"windows", "secret\r\n", nil, password.Scheme{}, true},
		{"argument", "", []string{"secret"}, password.Scheme{}, true},
		{"digest", "secret", []string{"--hash", "md5", "--iterations", "100", "--key-length", "32"}, password.Scheme{Digest: "md5", Iterations: 100, KeyLength: 32}, false},
		{"configuration", "secret", []string{"-c", official}, password.Scheme{Digest: "sha256", Iterations: 10, KeyLength: 20}, false},
		{"configuration without a hash", "secret", []string{"-c", records}, password.Scheme{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, complaints, err := runHash(t, tt.stdin, tt.args...)
			stored, ok := strings.CutPrefix(strings.TrimSuffix(out, "\n"), "Password hash: ")
			if err != nil || !ok || password.IsArgon(stored) != tt.argon {
				t.Fatalf("printed %q, %v", out, err)
			}
			h, err := tt.scheme.Parse(stored)
			if err != nil || !h.Matches("secret") {
				t.Errorf("%q does not match the password: %v", stored, err)
			}
			if warned := strings.Contains(complaints, "command line"); warned != (tt.stdin == "") {
				t.Errorf("complaints: %q", complaints)
			}
			if strings.Contains(complaints, "secret") {
				t.Errorf("the password is in %q", complaints)
			}
		})
	}
}

func TestHashRefuses(t *testing.T) {
	open := configFile(t, "")
	for _, tt := range []struct {
		stdin string
		args  []string
		why   string
	}{
		{"\n", nil, "empty"},
		{strings.Repeat("x", 70_000), nil, "longer"},
		{"x", []string{"--hash", "sha-512"}, "unknown digest"},
		{"x", []string{"--hash", "sha512", "--iterations", "0"}, "iterations"},
		{"x", []string{"--hash", "sha512", "-c", open}, "either"},
		{"x", []string{"-c", open}, "no auth handler"},
		{"x", []string{"-c", open + ".toml"}, "does not exist"},
	} {
		if out, _, err := runHash(t, tt.stdin, tt.args...); err == nil || !strings.Contains(err.Error(), tt.why) || out != "" {
			t.Errorf("%q: printed %q, %v", tt.args, out, err)
		}
	}
}
