package server

import (
	"fmt"
	"log/slog"
	"path/filepath"

	"deepstream-fast/config"
	"deepstream-fast/store"
	"deepstream-fast/store/pebble"
)

// DataDir returns the folder that records are kept in, or false if none are.
func DataDir(cfg *config.Config) (dir string, ok bool) {
	if cfg.Storage.Type == "none" {
		return "", false
	}
	dir = cfg.Storage.Options.Path
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(cfg.Dir, dir)
	}
	return dir, true
}

// storageOptions returns how the folder is to be opened.
func storageOptions(cfg *config.Config, dir string, log *slog.Logger) pebble.Options {
	o := &cfg.Storage.Options
	return pebble.Options{
		Dir: dir, Durability: pebble.Durability(o.Durability), SyncInterval: o.SyncInterval.Std(),
		CacheBytes: int64(o.BlockCache), TombstoneRetention: o.TombstoneRetention.Std(),
		Log: log,
	}
}

// storage is the store of a running server and the door through which it is told to back itself up.
type storage struct {
	store   *pebble.Store
	control *control // nil if it could not be opened
}

// openStorage opens what the configuration asks for: nil if that is to keep nothing.
func openStorage(cfg *config.Config, log *slog.Logger) (*storage, error) {
	dir, ok := DataDir(cfg)
	if !ok || !cfg.EnabledFeatures.Record {
		return nil, nil
	}
	st, err := pebble.Open(storageOptions(cfg, dir, log))
	if err != nil {
		return nil, err
	}
	c, err := listenControl(dir, st.Backup, log)
	if err != nil {
		log.Warn("no backup and no reload can be asked for by command while the server runs", "event", "BACKUP", "error", err)
	}
	return &storage{store: st, control: c}, nil
}

// records returns the store the sessions use, nil if there is none.
func (s *storage) records() store.Store {
	if s == nil {
		return nil
	}
	return s.store
}

// users returns the way to users kept as records, nil if there is none.
func (s *storage) users() *userRecords {
	if s == nil {
		return nil
	}
	return &userRecords{store: s.store}
}

// close ends everything. What was accepted is on disk afterwards.
func (s *storage) close() error {
	if s == nil {
		return nil
	}
	s.control.close()
	if err := s.store.Close(); err != nil {
		return fmt.Errorf("server: close the storage: %w", err)
	}
	return nil
}
