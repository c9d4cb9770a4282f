package posthaste;

import java.util.Arrays;
import java.util.List;

/** {@code Main STEP BOOTSTRAP ...}: a step of a scenario around workers, which ends well when what it expects is so. */
public final class Main {
    public static void main(String[] arguments) throws Exception {
        List<String> words = Arrays.asList(arguments);
        String bootstrap = words.get(1);
        switch (words.get(0)) {
            case "create" -> Topics.create(bootstrap, words.get(2), number(words.get(3)), words.subList(4, words.size()));
            case "alter" -> Topics.alter(bootstrap, words.get(2), number(words.get(3)), words.subList(4, words.size()));
            case "expect-configs" -> Topics.expectConfigs(bootstrap, words.get(2), number(words.get(3)), words.subList(4, words.size()));
            case "expect-internal-topics" -> Topics.expectInternal(bootstrap, words.subList(2, words.size()));
            case "expect-topics" -> Topics.expectNames(bootstrap, words.get(2), words.subList(3, words.size()));
            case "send" -> Records.send(bootstrap, words.get(2), number(words.get(3)), number(words.get(4)));
            case "send-until-told" -> Records.sendUntilTold(bootstrap, words.get(2));
            case "expect-same" -> Records.expectSame(bootstrap, words.get(2), words.get(3), words.get(4), number(words.get(5)));
            case "expect-some" -> Records.read(bootstrap, words.get(2), number(words.get(3)));
            case "commit" -> Offsets.commit(bootstrap, words.get(2), words.get(3), number(words.get(4)));
            case "expect-offsets" -> new Offsets(
                    bootstrap, words.get(2), words.get(3), words.get(4), words.get(5), words.get(6), words.get(7)).expect();
            default -> throw new IllegalArgumentException("no step " + words.get(0));
        }
    }

    private static int number(String word) {
        return Integer.parseInt(word);
    }
}
