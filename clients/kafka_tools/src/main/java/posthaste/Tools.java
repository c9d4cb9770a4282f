package posthaste;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command line tools within one JVM, each as the process that it takes itself for. It reads orders from its
 * standard input, a line each, words in base64, and answers each with one line:
 * {@code start NUMBER INPUT CLASS ARGUMENT...}, {@code look NUMBER}, {@code interrupt NUMBER}, {@code wait NUMBER}.
 * The answer is {@code running} or the exit status, then what was said on standard output and on standard error.
 */
public final class Tools {
    private static final Map<String, Run> RUNS = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        System.setIn(Run.input());
        System.setOut(Run.output());
        System.setErr(Run.errors());
        Exit.setExitProcedure(Run::exit);
        Exit.setHaltProcedure(Run::exit);
        Exit.setShutdownHookAdder(Run::addShutdownHook);
        for (String order = orders.readLine(); order != null; order = orders.readLine()) {
            Run run = obey(Arrays.stream(order.split(" ", -1)).map(Tools::decoded).toList());
            answers.println(run.status() + " " + encoded(run.said()) + " " + encoded(run.complained()));
            answers.flush();
        }
        // Standard input is closed when the scenarios are over, or when they died.
        Runtime.getRuntime().halt(0);
    }

    private static Run obey(List<String> words) throws Exception {
        String number = words.get(1);
        switch (words.get(0)) {
            case "start" -> RUNS.put(number, new Run(words.get(2), words.get(3), words.subList(4, words.size())));
            case "interrupt" -> RUNS.get(number).interrupt();
            case "wait" -> RUNS.get(number).await();
            case "look" -> { }
            default -> throw new IllegalArgumentException("unknown order " + words);
        }
        return RUNS.get(number);
    }

    private static String decoded(String word) {
        return new String(Base64.getDecoder().decode(word), UTF_8);
    }

    private static String encoded(byte[] text) {
        return Base64.getEncoder().encodeToString(text);
    }
}
