package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"deepstream-fast/config"
	"deepstream-fast/store"
)

var silent = slog.New(slog.DiscardHandler)

// folderConfig returns a configuration whose data folder is in a new folder. Its path is longer than
// the address of a socket may be.
func folderConfig(t *testing.T) *config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.Dir = filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	return &cfg
}

// open opens the storage of cfg with one record in it.
func open(t *testing.T, cfg *config.Config) *storage {
	t.Helper()
	s, err := openStorage(cfg, silent)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	w := store.Write{Name: []byte("r"), Data: []byte(`{"kept":true}`), Version: 1}
	if err := s.store.Submit([]store.Write{w}, func(o []store.Outcome) { done <- o[0].Err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return s
}

// checkCopy fails unless dir is a sound folder with one record.
func checkCopy(t *testing.T, dir string) {
	t.Helper()
	cfg := config.Default()
	cfg.Storage.Options.Path = dir
	if _, r, err := CheckData(&cfg, silent); err != nil || r.Records != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestBackupOfARunningServer(t *testing.T) {
	cfg := folderConfig(t)
	s := open(t, cfg)
	dir := filepath.Join(t.TempDir(), "copy")
	if err := Backup(cfg, dir, silent); err != nil {
		t.Fatal(err)
	}
	checkCopy(t, dir)
	if err := Backup(cfg, dir, silent); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("into a folder that exists: %v", err)
	}
	if _, _, err := CheckData(cfg, silent); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("checked while it is open: %v", err)
	}
	data, _ := DataDir(cfg)
	info, err := os.Stat(filepath.Join(data, controlName))
	if err != nil || info.Mode().Perm() != controlFileMode {
		t.Errorf("socket: %v, %v", info.Mode(), err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}

// The socket of the last run is there, but nobody answers: the folder is opened instead.
func TestBackupWithoutAServer(t *testing.T) {
	cfg := folderConfig(t)
	if err := open(t, cfg).close(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "copy")
	if err := Backup(cfg, dir, silent); err != nil {
		t.Fatal(err)
	}
	checkCopy(t, dir)
	data, _ := DataDir(cfg)
	again := open(t, cfg) // whose socket replaces the old one
	if running, _, err := askServer(data, &controlRequest{Backup: "relative"}); !running || err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Errorf("relative path: %v, %v", running, err)
	}
	if err := again.close(); err != nil {
		t.Fatal(err)
	}
}

func TestBackupOfNothing(t *testing.T) {
	cfg := folderConfig(t)
	if err := Backup(cfg, "copy", silent); err == nil {
		t.Error("of a folder that does not exist")
	}
	data, _ := DataDir(cfg)
	if _, err := os.Stat(data); err == nil {
		t.Error("a question has created the data folder")
	}
	cfg.Storage.Type = "none"
	if err := Backup(cfg, "copy", silent); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("without storage: %v", err)
	}
	if _, _, err := CheckData(cfg, silent); err == nil {
		t.Error("checked without storage")
	}
}

func TestDataDir(t *testing.T) {
	cfg := config.Default()
	for _, tt := range []struct{ dir, path, want string }{
		{"", "data", "data"}, {"conf", "data", "conf/data"}, {"conf", "../data", "data"}, {"conf", "/srv/data", "/srv/data"},
	} {
		cfg.Dir, cfg.Storage.Options.Path = tt.dir, tt.path
		if got, ok := DataDir(&cfg); !ok || got != tt.want {
			t.Errorf("%+v: got %q, %v", tt, got, ok)
		}
	}
}
