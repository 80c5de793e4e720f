package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"deepstream-fast/config"
	"deepstream-fast/server"
)

// process is a server between its start and its end, and what the system tells it meanwhile.
type process struct {
	cfg    *config.Config
	log    *server.Log
	load   func() (*config.Config, error) // reads the configuration as at the start
	notify *server.Notifier
	stops  chan os.Signal // SIGINT, SIGTERM
	hups   chan os.Signal // SIGHUP
}

// run starts the server and serves until a signal ends it, or itself.
func (p *process) run() error {
	// Signals are caught before the server starts, when one must not be lost, and until the process has
	// ended: a late one must not turn its exit code into a failure.
	p.stops, p.hups = make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(p.stops, syscall.SIGINT, syscall.SIGTERM)
	signal.Notify(p.hups, syscall.SIGHUP)
	inherited, err := p.meetManager()
	if err != nil {
		return p.fatal(err)
	}
	s, err := server.StartOn(inherited, p.cfg, p.log.Logger)
	if err != nil {
		return p.fatal(err)
	}
	s.WatchLog(p.log)
	reloader := server.NewReloader(s, p.cfg, p.log, p.notify, p.load)
	s.AnswerReload(reloader)
	watching, endWatch := context.WithCancel(context.Background())
	defer endWatch()
	go reloader.Watch(watching) // ends with this function
	go p.reload(reloader)       // ends with the process
	p.notify.Watch(s)
	p.notify.Ready(s.Status())
	return p.serve(s)
}

// meetManager finds out what the service manager has for us. One that cannot be told anything is no
// reason not to serve; a socket that cannot be used is.
func (p *process) meetManager() (inherited net.Listener, err error) {
	if p.notify, err = server.OpenNotifier(); err != nil {
		p.log.Warn("the service manager is not told how we are: "+err.Error(), "event", "INFO")
	}
	return server.Inherited()
}

// reload answers SIGHUP. A file system may keep it waiting, which is no reason not to stop.
func (p *process) reload(reloader *server.Reloader) {
	for range p.hups {
		_, _ = reloader.Reload() // which has logged what came of it
	}
}

// serve waits for the end.
func (p *process) serve(s *server.Server) error {
	select {
	case sig := <-p.stops:
		return p.stop(s, sig)
	case <-s.Done():
		return p.fatal(errors.New("the server has ended by itself: " + fmt.Sprint(s.Err())))
	}
}

// stop ends the server gracefully; a second signal, or the time it may take, ends it at once.
func (p *process) stop(s *server.Server, sig os.Signal) error {
	p.log.Info("shutting down: "+sig.String(), "event", "INFO")
	patience := p.cfg.DrainDelay.Std() + p.cfg.ShutdownTimeout.Std()
	p.notify.Stopping(patience)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(ctx) }() // ends with ctx at the latest, or with the process
	select {
	case err := <-stopped:
		if err != nil {
			return p.fatal(err)
		}
		p.log.Info("stopped", "event", "INFO")
		return nil
	case <-p.stops:
		p.log.Warn("second signal: leaving at once", "event", "INFO")
		return errReported
	}
}

// fatal logs err as what ends the process.
func (p *process) fatal(err error) error {
	p.log.Log(context.Background(), server.LevelFatal, err.Error(), "event", "FATAL_EXCEPTION")
	return errReported
}
