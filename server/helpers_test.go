package server

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// writeConf writes a configuration into a folder of its own and returns its path.
func writeConf(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "conf.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// lockedText is a log that is read while it is written.
type lockedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
