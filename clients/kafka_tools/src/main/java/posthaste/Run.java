package posthaste;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Function;

/** One run of a tool: its own streams, its own end, its own shutdown hooks. Threads that the tool starts belong to it. */
final class Run {
    private static final long END_MS_MAX = 60_000;
    private static final InheritableThreadLocal<Run> CURRENT = new InheritableThreadLocal<>();

    private final ByteArrayOutputStream said = new ByteArrayOutputStream();
    private final ByteArrayOutputStream complained = new ByteArrayOutputStream();
    private final Deque<Runnable> hooks = new ArrayDeque<>();
    private final InputStream input;
    private final Thread thread;
    private volatile int status;
    // What is said after the end, by code that catches even that, no process would have said.
    private volatile boolean ended;

    Run(String input, String main, List<String> arguments) {
        this.input = new ByteArrayInputStream(input.getBytes(UTF_8));
        thread = new Thread(() -> live(main, arguments.toArray(new String[0])), main);
        thread.setDaemon(true);
        thread.start();
    }

    private void live(String main, String[] arguments) {
        CURRENT.set(this);
        try {
            Class.forName(main).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException thrown) {
            if (!(thrown.getCause() instanceof Ended)) {
                thrown.getCause().printStackTrace();
                status = 1;
            }
        } catch (ReflectiveOperationException wrong) {
            wrong.printStackTrace();
            status = 1;
        }
        runHooks();
    }

    private void runHooks() {
        while (true) {
            Runnable hook;
            synchronized (hooks) {
                hook = hooks.poll();
            }
            if (hook == null) {
                return;
            }
            hook.run();
        }
    }

    /** What SIGINT does to a process: its shutdown hooks run while it does. */
    void interrupt() {
        Thread hooksRunner = new Thread(() -> {
            CURRENT.set(this);
            runHooks();
        });
        hooksRunner.setDaemon(true);
        hooksRunner.start();
    }

    void await() throws InterruptedException {
        thread.join(END_MS_MAX);
    }

    String status() {
        return thread.isAlive() ? "running" : String.valueOf(status);
    }

    byte[] said() {
        return said.toByteArray();
    }

    byte[] complained() {
        return complained.toByteArray();
    }

    /** Stands in for the end of the process. A tool that catches it and ends again keeps its first status. */
    private static final class Ended extends Error {
        private static final long serialVersionUID = 1;

        Ended() {
            super("the tool ended", null, false, false);
        }
    }

    static void exit(int status, String message) {
        Run run = CURRENT.get();
        if (message != null) {
            System.err.println(message);
        }
        if (!run.ended) {
            run.status = status;
            run.runHooks();
            run.ended = true;
        }
        throw new Ended();
    }

    static void addShutdownHook(String name, Runnable hook) {
        Run run = CURRENT.get();
        synchronized (run.hooks) {
            run.hooks.add(hook);
        }
    }

    static InputStream input() {
        return new InputStream() {
            @Override
            public int read() {
                byte[] one = new byte[1];
                return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
            }

            @Override
            public int read(byte[] into, int offset, int length) {
                try {
                    return CURRENT.get().input.read(into, offset, length);
                } catch (IOException impossible) {
                    throw new AssertionError(impossible);
                }
            }
        };
    }

    static PrintStream output() {
        return stream(run -> run.said);
    }

    static PrintStream errors() {
        return stream(run -> run.complained);
    }

    private static PrintStream stream(Function<Run, ByteArrayOutputStream> choose) {
        return new PrintStream(new OutputStream() {
            @Override
            public void write(int one) {
                write(new byte[] {(byte) one}, 0, 1);
            }

            @Override
            public void write(byte[] from, int offset, int length) {
                Run run = CURRENT.get();
                if (run != null && !run.ended) {
                    choose.apply(run).write(from, offset, length);
                }
            }
        }, true, UTF_8);
    }
}
