package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"deepstream-fast/config"
)

// part is something that a running server can change. A reload prepares every part that is concerned,
// and only when all could be prepared, all are applied: it happens as a whole or not at all.
type part struct {
	name string
	keys []string // that it covers, as config.Covers has them

	// external lists the files that it reads by itself, which may have changed although no key has. nil:
	// there are none.
	external func(*config.Config) []string
	// watched reports that its files, those its keys are loaded from included, are to be looked after. nil:
	// never.
	watched func(*config.Config) bool
	// prepare judges what next says and returns how to put it into effect, which cannot fail. It may take
	// its time: it runs on no loop.
	prepare func(next *config.Config) (apply func(), err error)
}

// parts lists what can be changed without a restart. Everything else in the file needs one.
func (r *Reloader) parts() []part {
	table := []part{
		{
			name: "log level", keys: []string{"logLevel", "logger.options.logLevel"},
			prepare: func(next *config.Config) (func(), error) {
				return func() { r.log.SetLevel(next.EffectiveLogLevel()) }, nil
			},
		},
		r.server.authPart(),
	}
	if r.server.rules != nil {
		table = append(table, r.server.permissionPart())
	}
	if r.server.certs != nil {
		table = append(table, r.server.certs.part())
	}
	return table
}

// Reloader reads the configuration again and puts into effect what a running server can change. It logs
// what it did, by the names of the keys. Safe for concurrent use.
type Reloader struct {
	// Set by NewReloader, then constant.
	server *Server
	log    *Log
	notify *Notifier
	load   func() (*config.Config, error)
	table  []part

	mu      sync.Mutex                // one reload at a time; guards the fields below; outermost
	started *config.Config            // what is in effect of all that no part covers
	applied map[string]*config.Config // and of each part, by its name
}

// Changed is what a reload has done, by full keys of the configuration but for Reread.
type Changed struct {
	Applied []string `json:"applied,omitempty"` // in effect now
	Reread  []string `json:"reread,omitempty"`  // parts, by name, that have read their files again
	Restart []string `json:"restart,omitempty"` // in effect after a restart
}

// NewReloader returns a Reloader for a server that runs with cfg. load reads the configuration as it was
// read at the start, command line included.
func NewReloader(s *Server, cfg *config.Config, log *Log, notify *Notifier, load func() (*config.Config, error)) *Reloader {
	r := &Reloader{server: s, log: log, notify: notify, load: load, started: cfg, applied: map[string]*config.Config{}}
	r.table = r.parts()
	for _, p := range r.table {
		r.applied[p.name] = cfg
	}
	return r
}

// errStopping is the answer to a reload of a server that is about to end.
var errStopping = errors.New("the server is stopping")

// Reload does everything the file asks for that needs no restart. With an error nothing has changed.
func (r *Reloader) Reload() (Changed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.server.stopping.Load() {
		return Changed{}, errStopping
	}
	r.notify.Reloading()
	defer r.ready()
	next, err := r.load()
	if err != nil {
		return Changed{}, r.refused(err)
	}
	changed, err := r.apply(next, r.table)
	if err != nil {
		return Changed{}, r.refused(err)
	}
	for _, w := range next.Warnings {
		r.log.Warn(w.Error(), eventKey, "INVALID_CONFIG_DATA")
	}
	r.report(changed)
	r.server.reloads.done.Add(1)
	return changed, nil
}

// reloadPart does the same for the part of that name alone: one of its files has changed.
func (r *Reloader) reloadPart(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.server.stopping.Load() {
		return
	}
	next, err := r.load()
	if err != nil {
		_ = r.refused(err)
		return
	}
	i := slices.IndexFunc(r.table, func(p part) bool { return p.name == name })
	changed, err := r.apply(next, r.table[i:i+1])
	if err != nil {
		_ = r.refused(err)
		return
	}
	changed.Restart = nil // not what this is about
	r.report(changed)
	r.server.reloads.done.Add(1)
}

// ready tells the service manager that a reload is over, unless a stop is what it waits for.
func (r *Reloader) ready() {
	if !r.server.stopping.Load() {
		r.notify.Ready(r.server.Status())
	}
}

func (r *Reloader) refused(err error) error {
	r.server.reloads.refused.Add(1)
	r.log.Error("reload: nothing has changed: "+err.Error(), eventKey, "CONFIG_ERROR")
	return err
}

func (r *Reloader) report(c Changed) {
	switch changed := slices.Concat(c.Applied, c.Reread); {
	case len(changed) > 0:
		r.log.Info("reload: in effect now: "+strings.Join(changed, ", "), eventKey, "INFO")
	default:
		r.log.Info("reload: nothing to put into effect", eventKey, "INFO")
	}
	if len(c.Restart) > 0 {
		r.log.Warn("reload: needs a restart: "+strings.Join(c.Restart, ", "), eventKey, "INFO")
	}
}

// apply puts next into effect as far as the parts in table go.
func (r *Reloader) apply(next *config.Config, table []part) (Changed, error) {
	var c Changed
	var applies []func()
	for _, p := range table {
		keys := coveredBy(p, config.Changes(r.applied[p.name], next))
		if len(keys) == 0 && (p.external == nil || len(p.external(next)) == 0) {
			continue
		}
		apply, err := p.prepare(next)
		if err != nil {
			return Changed{}, fmt.Errorf("%s: %w", p.name, err)
		}
		applies = append(applies, apply)
		c.Applied = append(c.Applied, keys...)
		if len(keys) == 0 {
			c.Reread = append(c.Reread, p.name)
		}
	}
	for _, apply := range applies {
		apply()
	}
	for _, p := range table {
		r.applied[p.name] = next
	}
	c.Restart = slices.DeleteFunc(config.Changes(r.started, next), func(key string) bool {
		return slices.ContainsFunc(r.table, func(p part) bool { return len(coveredBy(p, []string{key})) > 0 })
	})
	return c, nil
}

// coveredBy returns those of keys that p covers.
func coveredBy(p part, keys []string) (covered []string) {
	for _, key := range keys {
		if slices.ContainsFunc(p.keys, func(k string) bool { return config.Covers(k, key) }) {
			covered = append(covered, key)
		}
	}
	return covered
}

// Watch looks after the files of the parts that are to be watched until ctx ends. It blocks.
func (r *Reloader) Watch(ctx context.Context) {
	ticker := time.NewTicker(watchPeriod)
	defer ticker.Stop()
	watchFiles(ctx, ticker.C, r.watched, r.reloadPart)
}

// watched returns the files to be looked after, by part.
func (r *Reloader) watched() map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	files := map[string][]string{}
	for _, p := range r.table {
		cfg := r.applied[p.name]
		if p.watched == nil || !p.watched(cfg) {
			continue
		}
		for key, file := range cfg.Files {
			if len(coveredBy(p, []string{key})) > 0 {
				files[p.name] = append(files[p.name], file)
			}
		}
		if p.external != nil {
			files[p.name] = append(files[p.name], p.external(cfg)...)
		}
	}
	return files
}

// AnswerReload lets requests through the control socket reload.
func (s *Server) AnswerReload(r *Reloader) {
	if s.store != nil && s.store.control != nil {
		s.store.control.reload.Store(r)
	}
}
