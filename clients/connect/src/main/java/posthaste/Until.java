package posthaste;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;

/** Waits for what the mirror brings about some time. */
final class Until {
    static final long PATIENCE_SECONDS = 120;
    private static final long PAUSE_MS = 200;

    private Until() {}

    /** What a check says is wrong, if anything. */
    interface Check extends Callable<String> {}

    static void nothingIsWrong(Check check) throws Exception {
        long deadline = System.nanoTime() + PATIENCE_SECONDS * 1_000_000_000;
        while (true) {
            String wrong;
            try {
                wrong = check.call();
            } catch (ExecutionException notYet) {
                wrong = notYet.toString();
            }
            if (wrong == null) {
                return;
            }
            if (System.nanoTime() > deadline) {
                throw new AssertionError("after " + PATIENCE_SECONDS + " s still: " + wrong);
            }
            Thread.sleep(PAUSE_MS);
        }
    }
}
