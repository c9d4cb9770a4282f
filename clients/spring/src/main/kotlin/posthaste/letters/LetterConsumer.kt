package posthaste.letters

import java.time.Duration
import org.springframework.kafka.core.ConsumerFactory
import org.springframework.stereotype.Component

/** One consumer, one poll: it joins its group, reads what is there, commits as it closes. */
@Component
class LetterConsumer(private val consumerFactory: ConsumerFactory<String, ByteArray>) {
    fun receive(topic: String) =
        consumerFactory.createConsumer().use { it.subscribe(listOf(topic)); it.poll(Duration.ofSeconds(5)) }
}
