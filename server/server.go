// Package server is the composition root: it builds every part from a Config, starts them in order
// and stops them in reverse.
//
// # Invariants
//   - Nothing outside this package and cmd knows both the configuration file and a part.
//   - Start returns only when clients can connect, Stop only when they are gone or time is up.
//   - The storage is opened before anybody can write, and closed when nobody can any more.
//
// Cost: nothing on the way of a message runs here. Stability: internal, may change.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"deepstream-fast/codec"
	"deepstream-fast/codec/ws"
	"deepstream-fast/config"
	"deepstream-fast/engine"
	"deepstream-fast/lazyjson"
	"deepstream-fast/listen"
	"deepstream-fast/monitor"
	"deepstream-fast/record"
	"deepstream-fast/rpc"
	"deepstream-fast/session"
)

// Server is a running deepstream-fast.
type Server struct {
	// Set by Start, then constant.
	cfg    *config.Config
	log    *slog.Logger
	name   string
	front  *front
	store  *storage // nil: nothing is kept
	auth   *authentication
	rules  *permissions  // nil: everything is allowed
	certs  *certificates // nil: no TLS
	node   *session.Node
	web    *web // nil: no HTTP API
	engine *engine.Engine

	monitoring *monitoring

	// Safe from any goroutine.
	stopping atomic.Bool         // Stop has been called
	lines    atomic.Pointer[Log] // see WatchLog; nil: nobody has
	reloads  reloads
}

// Start builds a server from a validated configuration and returns when clients can connect.
func Start(cfg *config.Config, log *slog.Logger) (*Server, error) { return StartOn(nil, cfg, log) }

// StartOn is Start on a listener that the service manager keeps, see Inherited; nil: on one of our own.
func StartOn(inherited net.Listener, cfg *config.Config, log *slog.Logger) (*Server, error) {
	endpoint := cfg.Endpoint("ws-binary")
	if endpoint == nil {
		return nil, fmt.Errorf("server: connectionEndpoints has no entry of type ws-binary: no client could connect")
	}
	events := monitor.CountEvents(log.Handler())
	log = slog.New(events)
	s := &Server{cfg: cfg, log: log, name: serverName(cfg), front: newFront(cfg, endpoint.WebSocket.URLPath)}
	s.front.kept = inherited != nil
	if err := s.open(inherited, &endpoint.WebSocket, events); err != nil {
		return nil, errors.Join(err, s.release())
	}
	go tidyMemory(s.engine.Done(), func() uint64 { return s.engine.Stats().Closed }) // ends with the engine
	s.front.ready.Store(true)
	s.monitoring.begin(s)
	s.announce()
	return s, nil
}

// open opens every part, the loops last.
func (s *Server) open(inherited net.Listener, ep *config.WebSocket, events *monitor.EventCounter) (err error) {
	if s.monitoring, err = openMonitoring(s.cfg, events); err != nil {
		return err
	}
	limitMemory(s.log)
	if s.rules, err = openPermissions(s.cfg, s.log); err != nil {
		return err
	}
	if s.store, err = openStorage(s.cfg, s.log); err != nil {
		return err
	}
	if s.auth, err = newAuthentication(s.cfg, s.store.users(), s.log); err != nil {
		return err
	}
	return s.serve(inherited, ep)
}

// release closes what open has opened, but for the loops.
func (s *Server) release() error {
	if s.monitoring != nil {
		s.monitoring.close()
	}
	var err error
	if s.auth != nil {
		err = s.auth.close()
	}
	return errors.Join(err, s.store.close())
}

// serve starts the loops.
func (s *Server) serve(inherited net.Listener, ep *config.WebSocket) error {
	loops := s.cfg.HTTPServer.Options.Loops
	if loops == 0 {
		loops = engine.DefaultLoops()
	}
	sessions := sessionOptions(s.cfg, ep, loops, s.log)
	sessions.Store, sessions.Auth = s.store.records(), s.auth.door
	sessions.Permission = s.rules.rules()
	sessions.RequestsMax = requestsMax(s.cfg)
	if err := sessions.Validate(); err != nil {
		return err
	}
	s.node = session.NewNode(sessions)
	if s.auth.users != nil {
		s.auth.users.node.Store(s.node)
	}
	options := engineOptions(s.cfg, ep, loops, s.log)
	options.Listener = inherited
	options.Upgrade, options.HTTP = s.front.upgrade, s.front.answer
	options.NewHandler, options.WantsTurn = s.node.NewHandler, s.node.WantsTurn
	s.web = openWeb(s.cfg, s.node, sessions.Auth, s.MonitorHandlers(), s.front, s.log)
	options.Handoff, options.HTTPConnectionsMax = s.web.handoff(), s.cfg.HTTPServer.Options.MaxHTTPConnections
	err := s.listener(&options)
	if err == nil {
		s.engine, err = engine.Start(options)
	}
	if err != nil {
		s.web.close()
		return err
	}
	s.auth.makeRoom(s.cfg)
	return nil
}

func (s *Server) announce() {
	endpoint := s.cfg.Endpoint("ws-binary")
	if s.front.kept {
		s.log.Info("the service manager keeps the socket: httpServer.options.host and port are not looked at", "event", "INFO")
	}
	s.log.Info(fmt.Sprintf("server %s listening for WebSockets on %s with %d loops", s.name, s.urls("ws", endpoint.WebSocket.URLPath), s.engine.Loops()), "event", "INFO")
	if ep := s.cfg.Endpoint("http"); ep != nil {
		s.log.Info("HTTP API listening on "+s.urls("http", ep.HTTP.PostPath), "event", "INFO")
	}
	s.log.Info("deepstream-fast started", "event", "INFO")
}

// Addr returns the TCP address listened on, nil if there is only a Unix socket.
func (s *Server) Addr() *net.TCPAddr { return s.engine.Addr() }

// Done is closed when the server can't go on; Err tells why.
func (s *Server) Done() <-chan struct{} { return s.engine.Done() }

// Err returns why the server ended by itself. Valid after Done.
func (s *Server) Err() error { return s.engine.Err() }

// Status says in a line what the server does, for the service manager.
func (s *Server) Status() string { return "serving WebSockets on " + s.urls("ws", s.front.path) }

// Stop ends the server. Health checks fail at once, and after drainDelay it accepts nobody any more, gives
// every client what is queued for it and then close code 1001, and waits for them until ctx ends. Every
// write that was accepted is kept.
func (s *Server) Stop(ctx context.Context) error {
	again := s.stopping.Swap(true)
	s.front.ready.Store(false)
	if !again {
		awaitBalancers(ctx, s.cfg.DrainDelay.Std())
	}
	finish := s.web.drain(ctx)
	err := s.engine.Stop(ctx)
	finish()
	if !errors.Is(err, engine.ErrBusy) { // what a loop that still runs has collected is its own
		s.node.Flush()
	}
	err = errors.Join(err, s.release())
	s.logTotals()
	return err
}

// awaitBalancers gives those who ask for our health the time to send clients elsewhere.
func awaitBalancers(ctx context.Context, delay time.Duration) {
	if delay == 0 {
		return
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *Server) logTotals() {
	e, n := s.engine.Stats(), s.node.Stats()
	s.log.Info("totals", "event", "INFO",
		"connections", e.Opened, "logins", n.Logins, "messagesIn", e.MessagesIn, "bytesIn", e.BytesIn, "bytesOut", e.BytesOut,
		"jsonValidated", s.node.Parses(lazyjson.ReasonValidate), "jsonPatched", s.node.Parses(lazyjson.ReasonPatch)+s.node.Parses(lazyjson.ReasonPatchMulti),
		"slowConsumers", e.SlowClosed, "droppedFrames", e.DroppedFrames, "droppedMail", e.DroppedMail,
		"refused", e.Refused, "longTurns", e.LongTurns, "protocolErrors", e.ProtocolErrors, "heartbeatTimeouts", e.HeartbeatTimeouts, "panics", e.Panics,
		"handshakes", e.Handshakes, "handshakesFailed", e.HandshakesFailed+e.HandshakeTimeouts, "handshakesShed", e.HandshakesShed)
}

// drainShare is the part of shutdownTimeout in which clients are told to leave, if there are many.
const drainShare = 4

func engineOptions(cfg *config.Config, ep *config.WebSocket, loops int, log *slog.Logger) engine.Options {
	h := &cfg.HTTPServer.Options
	o := engine.Options{
		Host: h.Host, Port: h.Port,
		Loops: loops, ConnectionsMax: h.MaxConnections,
		OutboundBytesMax:  int(h.MaxBackpressure),
		ReplyBytesMax:     int(h.MaxBackpressure + ep.MaxBulkMessageSize),
		SlowTimeout:       h.SlowConsumerTimeout.Std(),
		MessageBytesMax:   int(ep.MaxMessageSize),
		BulkBytesMax:      int(max(ep.MaxMessageSize, ep.MaxBulkMessageSize)),
		Bulk:              codec.IsBulk,
		Refuse:            ws.Text,
		OwedBytesMax:      memoryTotal() / 4,
		HeartbeatInterval: ep.HeartbeatInterval.Std(),
		DrainTimeout:      cfg.ShutdownTimeout.Std() / drainShare,
		FlushInterval:     ep.OutgoingBufferTimeout.Std(),
		FlushBytesMax:     int(ep.MaxBufferByteSize),
		Log:               log,
	}
	switch h.SlowConsumerPolicy {
	case "drop-new":
		o.SlowPolicy = engine.SlowDropNew
	case "drop-oldest":
		o.SlowPolicy = engine.SlowDropOldest
	}
	return o
}

func sessionOptions(cfg *config.Config, ep *config.WebSocket, loops int, log *slog.Logger) session.Options {
	o := session.Options{
		Loops:                  loops,
		UnauthenticatedTimeout: ep.UnauthenticatedClientTimeout.Std(),
		AuthAttemptsMax:        ep.MaxAuthAttempts,
		LogInvalidAuthData:     ep.LogInvalidAuthData,
		MessageBytesMax:        int(ep.MaxMessageSize),
		BulkNamesMax:           ep.MaxBulkNames,
		SubscriptionsMax:       ep.MaxSubscriptions,
		CallsMax:               ep.MaxPendingRPCs,
		Events:                 cfg.EnabledFeatures.Event,
		RPC:                    cfg.EnabledFeatures.RPC,
		Presence:               cfg.EnabledFeatures.Presence,
		Records:                cfg.EnabledFeatures.Record,
		ProvideRequestorName:   cfg.RPC.ProvideRequestorName,
		ProvideRequestorData:   cfg.RPC.ProvideRequestorData,
		PatternBytesMax:        cfg.Listen.MaxPatternLength,
		Listen: listen.Options{
			Ordered:            !cfg.Listen.ShuffleProviders,
			ResponseTimeout:    cfg.Listen.ResponseTimeout.Std(),
			RematchInterval:    orNever(cfg.Listen.RematchInterval.Std()),
			MatchCooldown:      orNever(cfg.Listen.MatchCooldown.Std()),
			PatternsPerConnMax: cfg.Listen.MaxPatternsPerConnection,
		},
		Calls: rpc.Options{AckTimeout: cfg.RPC.AckTimeout.Std(), ResponseTimeout: cfg.RPC.ResponseTimeout.Std()},
		Record: record.Options{
			LoadTimeout:       cfg.Record.StorageRetrievalTimeout.Std(),
			ExclusionPrefixes: cfg.Record.StorageExclusionPrefixes,
			HotPathPrefixes:   cfg.Record.StorageHotPathPrefixes,
		},
		CacheBytesMax: int64(cfg.Cache.Options.MaxBytes),
		Log:           log,
	}
	o.MessageInterval, o.MessageBurst = messageRate(ep.MaxMessageRate, ep.MessageBurst)
	if ep.UnauthenticatedClientTimeout == config.Off {
		o.UnauthenticatedTimeout = -1
	}
	return o
}

// messageRate returns in which time another message may come, and how many at once, as an endpoint's
// maxMessageRate and messageBurst say it: 0 and 0 if there is no limit.
func messageRate(perSecond, burst int) (time.Duration, int) {
	if perSecond == 0 {
		return 0, 0
	}
	if burst == 0 {
		burst = perSecond
	}
	return time.Second / time.Duration(perSecond), burst
}

// orNever turns a configured 0 into the negative value that means "not at all" to packages whose own
// zero stands for the default.
func orNever(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// serverName returns the configured name or makes one up.
func serverName(cfg *config.Config) string {
	if cfg.ServerName != config.GenerateName {
		return cfg.ServerName
	}
	return strconv.FormatInt(time.Now().UnixMilli(), 36) + "-" + randomText()
}
